import { assert } from "../assert.ts";
import type { DataCache } from "../data-cache.ts";
import type { PhysicalMemory } from "../memory.ts";
import type { Geometry, Preset } from "../presets.ts";
import type { Room } from "../room.ts";
import type { ResettableMmu } from "../mmu.ts";
import type { Stage } from "../stages.ts";

/** What a unit is made for: the memory it translates in, the processor that it is part of, and how it translates. */
export interface Given {
  readonly memory: PhysicalMemory;
  readonly preset: Preset;
  /** Levels and roots may change later. */
  readonly stages: readonly Stage[];
  /** The caches that walk references go through, if the processor's are modelled; every shape uses the same ones. */
  readonly dataCache: DataCache | null;
  readonly room: Room;
  /** The columns of `Mmu`. */
  readonly low: Int32Array;
  readonly high: Int32Array;
}

/** A unit can take over from another one in the midst of a run. The data caches belong to whoever made it. */
export interface Unit extends Omit<ResettableMmu, "loadedRoot" | "moveTo"> {
  /** What that one says of its log and of its last access is true here too. */
  takeOver(from: Unit): void;
}

declare const given: Given;
export const { memory, preset, stages, dataCache, room, low, high } = given;
export const { words, slotOf, next, pfnOfSlot } = memory;
/** Where this unit's arrays begin. */
export const roomStart = room.used();

/** A structure that the processor has, or the least that code can be written for. */
export function geometryOf(geometry: Geometry | null): Geometry {
  const { sets, ways } = geometry ?? { sets: 1, ways: 1 };
  assert(Number.isInteger(Math.log2(sets)), `unit: ${sets} sets, no power of two`);
  assert(ways >= 1 && sets * ways < 0x7fff, `unit: ${sets} x ${ways} entries do not fit an index`);
  return { sets, ways };
}
