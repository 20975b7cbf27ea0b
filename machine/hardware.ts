/**
 * The hardware that points run on: per thread and processor one memory and the translation units of its vCPUs, kept
 * and reset.
 *
 * Every unit has code of its own, which is what makes it fast. Compiling that costs more than most points, so points of
 * one processor share units: nothing of an earlier point is left after `reset`.
 */
import { ownMmu } from "./fast.ts";
import type { MachineOptions } from "./machine.ts";
import { type MemorySize, PhysicalMemory } from "./memory.ts";
import type { ResettableMmu } from "./mmu.ts";
import type { Preset } from "./presets.ts";

/** What a machine is built from. */
export type Hardware = Required<Pick<MachineOptions, "mmu" | "memory">>;

/** Room for guests up to 16 GiB; typed arrays are committed as they are touched, so it costs nothing. */
const roomSize: MemorySize = { guestFrames: 2 ** 22, tableFrames: 2 ** 22 };
const smallest: MemorySize = { guestFrames: 1, tableFrames: 1 };

const kept = new Map<string, Hardware>();

/** The thread's hardware for a processor. One machine at a time may use it. */
export function hardwareFor(preset: Preset): Hardware {
  const name = JSON.stringify(preset);
  const known = kept.get(name);
  if (known !== undefined) return known;
  const made = makeHardware(preset);
  kept.set(name, made);
  return made;
}

function makeHardware(preset: Preset): Hardware {
  // A reset clears what there was: all of the room would be 64 MiB.
  const room = new PhysicalMemory(smallest, roomSize);
  const units: ResettableMmu[] = [];
  let inUse = 0;
  return {
    memory(size) {
      // A larger guest than anybody runs here gets memory of its own.
      if (!room.holds(size)) return new PhysicalMemory(size);
      room.reset(size);
      inUse = 0;
      return room;
    },
    mmu(memory) {
      if (memory !== room) return ownMmu(memory, preset);
      const unit = units[inUse] ?? ownMmu(room, preset);
      if (inUse < units.length) unit.reset();
      units[inUse] = unit;
      inUse += 1;
      return unit;
    },
  };
}
