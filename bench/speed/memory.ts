/**
 * Memory of the simulator: it must not grow with operations, and only with the tables that a guest has.
 */
import type { Vpn } from "../../machine/address.ts";
import { Machine, type MmuFactory } from "../../machine/machine.ts";
import { presets } from "../../machine/presets.ts";
import { Prng } from "../../guest/prng.ts";
import type { Guest } from "../../guest/guest.ts";
import { onDemand } from "../../workloads/options.ts";
import { workingSet } from "../../workloads/working-set.ts";
import { memoryInUse, type MemoryInUse } from "../memory-in-use.ts";
import type { PointKey } from "../result.ts";
import { bootGuest, machineOf } from "../run-point.ts";

/** A guest under `engine` with this much memory, and the machine below it. */
function boot(engine: string, guestFrames: number, mmu: MmuFactory) {
  const place = { preset: "skylake-sp", backing: "4k", guestLevels: 4, nestedLevels: 4 } as const;
  const key: PointKey = { id: 0, engine, workload: "speed", params: {}, ...place, seed: 1 };
  const options = { preset: presets["skylake-sp"], mmu, check: false };
  const machine = new Machine({ ...machineOf(key, options), guestFrames });
  const { guest } = bootGuest(key, { ...options, machine, kernel: {} });
  return { guest, machine };
}

export interface Growth {
  readonly engine: string;
  /** What one operation is. */
  readonly operation: string;
  readonly operations: number;
  /** After a tenth, a half and all of them. */
  readonly samples: readonly MemoryInUse[];
}

export interface Endurance {
  readonly engine: string;
  readonly operation: keyof typeof rounds;
  readonly operations: number;
}

/** Pages of the working set: 64 MiB, beyond every TLB. */
const pages = 16_384;
/** Pages that one round of churn maps, writes and unmaps. */
const churnPages = 64;

/** Returns a function that performs some operations and says how many. */
const rounds = {
  "random access": (guest: Guest) => {
    const base = workingSet(guest, pages, "4k");
    const prng = new Prng(1);
    return () => {
      const count = 65_536;
      for (let i = 0; i < count; i++) {
        const vpn = (base + prng.below(pages)) as Vpn;
        if (prng.chance(30)) guest.write(vpn);
        else guest.read(vpn);
      }
      return count;
    };
  },
  "page mapped and unmapped": (guest: Guest) => () => {
    const base = guest.map(churnPages, onDemand("4k"));
    for (let i = 0; i < churnPages; i++) guest.write((base + i) as Vpn);
    guest.unmap(base, churnPages);
    return churnPages;
  },
};

/** Runs that many operations and looks at the memory on the way. */
export function measureGrowth(
  { engine, operation, operations }: Endurance,
  mmu: MmuFactory,
): Growth {
  const { guest, machine } = boot(engine, 4 * pages, mmu);
  const round = rounds[operation](guest);
  const samples: MemoryInUse[] = [];
  let done = 0;
  for (const part of [0.1, 0.5, 1]) {
    while (done < operations * part) done += round();
    machine.snapshot();
    samples.push(memoryInUse());
  }
  return { engine, operation, operations: done, samples };
}

export interface Footprint {
  readonly guestBytes: number;
  /** 4 KiB pages that the program touched. */
  readonly pages: number;
  /** Bytes of guest tables and nested tables. */
  readonly tableBytes: number;
  /** Bytes of the pointers beside their entries, host pages in which there are any. */
  readonly pointerBytes: number;
  /** By how much the process grew. */
  readonly residentBytes: number;
}

const hostPageWords = 1024;

/** Touches one page in `stride` of all memory that a guest of so many frames has to give, under `ept`. */
export function measureFootprint(
  { guestFrames, stride }: { readonly guestFrames: number; readonly stride: number },
  mmu: MmuFactory,
): Footprint {
  const before = memoryInUse().residentBytes;
  const { guest, machine } = boot("ept", guestFrames, mmu);
  const { memory } = machine;
  const bytesOfKernel = memory.bytesInUse;
  // Room for tables and kernel: one frame in sixteen.
  const span = guestFrames - guestFrames / 16;
  const base = guest.map(span, onDemand("4k"));
  let touched = 0;
  for (let page = 0; page < span; page += stride) {
    guest.write((base + page) as Vpn);
    touched += 1;
  }
  machine.snapshot();
  let pointerPages = 0;
  for (let at = 0; at * 8 < memory.bytesInUse + 4096; at += hostPageWords) {
    if (memory.next.subarray(at, at + hostPageWords).some((word) => word !== 0)) pointerPages += 1;
  }
  return {
    guestBytes: guestFrames * 4096,
    pages: touched,
    tableBytes: memory.bytesInUse - bytesOfKernel,
    pointerBytes: pointerPages * hostPageWords * 4,
    residentBytes: memoryInUse().residentBytes - before,
  };
}
