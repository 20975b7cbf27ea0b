/**
 * The translation hardware of one vCPU, written for speed: the only code that is. Its parts are in `unit/`.
 *
 * A unit is one closure over typed arrays, assembled from its parts when it is made (`unit/assemble.ts` says why).
 * `bench/oracle/plain-mmu.ts` is its obvious twin: a differential test holds every counter, byte and stop of the one
 * against the other.
 */
import type { PhysicalMemory } from "./memory.ts";
import type { ResettableMmu } from "./mmu.ts";
import type { Preset } from "./presets.ts";
import { compileUnit, type UnitFactory } from "./unit/assemble.ts";

/** A unit with code of its own: as fast as it gets, once V8 has compiled it (a few hundred thousand accesses). */
export const ownMmu = (memory: PhysicalMemory, preset: Preset): ResettableMmu =>
  compileUnit()(memory, preset);

let shared: UnitFactory | undefined;

/** A unit whose code all units made here share: for machines that live shortly, as compiling costs them more. */
export const fastMmu = (memory: PhysicalMemory, preset: Preset): ResettableMmu => {
  shared ??= compileUnit();
  return shared(memory, preset);
};
