/**
 * One fault of a guest's guest, counted by how many levels of tables are new to it: PVM's formulas are of this.
 */
import { buildComputer } from "../../engines/computer.ts";
import { faultingGuest, type StoredEntries } from "../../engines/kvm/faulting-guest.ts";
import { levelsOf } from "../../engines/nested/nested-hypervisor.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { Gfn, Vpn } from "../../machine/address.ts";
import { type Ledger, subtract } from "../../machine/counters.ts";
import { lowHalf, userPage } from "../../machine/formats/x86-entry.ts";
import { presets } from "../../machine/presets.ts";

/** L2's own fault: its handler stores an entry in each of so many tables, from the uppermost to the leaf. */
export function countGuestFault(engine: Engine, newLevels: StoredEntries): Ledger {
  return faultingGuest(engine, newLevels).fault();
}

const pagesOfGib = 512 ** 2;
const firstFrame = 16;
/** Frames by how many levels L1's tables lack when L2 reads them in this order. */
const frames = [
  [4, firstFrame],
  [1, firstFrame + 1],
  [2, firstFrame + 512],
  [3, firstFrame + pagesOfGib],
] as const satisfies readonly (readonly [StoredEntries, number])[];

/**
 * L2 reads a frame that is new to L1, whose nested tables lack so many levels for it. L2's tables are that frame: it names
 * itself at every level, so that a walk meets no other.
 */
export function countNewFrames(engine: Engine): ReadonlyMap<StoredEntries, Ledger> {
  const { vcpu, hypervisor } = buildComputer({
    engine,
    preset: presets["skylake-sp"],
    guestFrames: pagesOfGib + 512,
    slotsMax: pagesOfGib + 32_768,
  });
  levelsOf(hypervisor)?.useAllMemory();
  for (const [, frame] of frames) {
    hypervisor.memory.write(frame as Gfn, 0, lowHalf(frame, userPage), 0);
  }
  vcpu.boot(
    hypervisor,
    { root: firstFrame as Gfn, pcid: 0, keep: false },
    { writeProtect: true, globalPages: true, pcid: false, levels: 4 },
  );
  return new Map(
    frames.map(([newLevels, root]) => {
      const before = { ...vcpu.ledger };
      vcpu.writeCr3(root as Gfn);
      vcpu.read(0 as Vpn);
      vcpu.drain();
      return [newLevels, subtract(vcpu.ledger, before)] as const;
    }),
  );
}
