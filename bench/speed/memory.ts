/**
 * Memory of the simulator: it must not grow with operations, and with a guest's memory only by its tables.
 */
import { ownMmu } from "../../machine/fast.ts";
import type { Vpn } from "../../machine/address.ts";
import { Machine, type MmuFactory } from "../../machine/machine.ts";
import { presets } from "../../machine/presets.ts";
import { Prng } from "../../guest/prng.ts";
import type { Guest } from "../../guest/guest.ts";
import { onDemand } from "../../workloads/options.ts";
import { workingSet } from "../../workloads/working-set.ts";
import { memoryInUse, type MemoryInUse } from "./memory-in-use.ts";
import type { PointKey } from "../results/result.ts";
import { bootGuest, machineOf } from "../points/run-point.ts";

/** A guest under `engine` with this much memory, and the machine below it. */
function boot(engine: string, guestFrames: number, mmu: MmuFactory) {
  const place = { preset: "skylake-sp", backing: "4k", guestLevels: 4, nestedLevels: 4 } as const;
  const key: PointKey = { id: 0, engine, workload: "speed", params: {}, ...place, seed: 1 };
  const options = { preset: presets["skylake-sp"], mmu, check: false };
  const machine = new Machine({ ...machineOf(key, options), guestFrames });
  const { guest } = bootGuest(key, { ...options, machine, kernel: {} });
  return { guest, machine };
}

/** 64 MiB of data, beyond every TLB. */
const dataPages = 16_384;
/** Pages that one round of churn maps, writes and unmaps. */
const churnPages = 64;
const accessesPerRound = 65_536;

/** Each returns a function that performs some operations and says how many. */
const operations = {
  accesses(guest: Guest) {
    const base = workingSet(guest, dataPages, "4k");
    const prng = new Prng(1);
    return () => {
      for (let i = 0; i < accessesPerRound; i++) {
        const vpn = (base + prng.below(dataPages)) as Vpn;
        if (prng.chance(30)) guest.write(vpn);
        else guest.read(vpn);
      }
      return accessesPerRound;
    };
  },
  "pages mapped and unmapped": (guest: Guest) => () => {
    const base = guest.map(churnPages, onDemand("4k"));
    for (let i = 0; i < churnPages; i++) guest.write((base + i) as Vpn);
    guest.unmap(base, churnPages);
    return churnPages;
  },
};

export interface Endurance {
  readonly engine: string;
  readonly operation: keyof typeof operations;
  readonly count: number;
}

export interface Growth extends Endurance {
  /** After a tenth, a half and all of the operations. */
  readonly samples: readonly MemoryInUse[];
}

/** Performs that many operations, or a few more, and looks at the memory on the way. */
export function measureGrowth(
  { engine, operation, count }: Endurance,
  mmu: MmuFactory = ownMmu,
): Growth {
  const { guest, machine } = boot(engine, 4 * dataPages, mmu);
  const round = operations[operation](guest);
  const samples: MemoryInUse[] = [];
  let done = 0;
  for (const part of [0.1, 0.5, 1]) {
    while (done < count * part) done += round();
    machine.snapshot();
    samples.push(memoryInUse());
  }
  return { engine, operation, count: done, samples };
}

export interface Extent {
  readonly engine: string;
  /** 4 KiB frames of the guest. */
  readonly guestFrames: number;
  /** One page in so many is touched: 1 for all of them, 512 for one in each 2 MiB. */
  readonly stride: number;
}

export interface Footprint extends Extent {
  /** Pages that the program touched. */
  readonly pages: number;
  /** Bytes of all tables that they took: the guest's, nested or shadow tables, the host's own. */
  readonly tableBytes: number;
  /** Bytes of host pages in which there are pointers beside table entries. */
  readonly pointerBytes: number;
  /** By how much the process grew. */
  readonly residentBytes: number;
}

/** Touches one page in `stride` of nearly all memory that a guest has to give. */
export function measureFootprint(extent: Extent, mmu: MmuFactory = ownMmu): Footprint {
  const { engine, guestFrames, stride } = extent;
  const before = memoryInUse().residentBytes;
  const { guest, machine } = boot(engine, guestFrames, mmu);
  const { memory } = machine;
  const kernelBytes = memory.bytesInUse;
  // The rest is for tables and kernel.
  const span = (guestFrames / 16) * 15;
  const base = guest.map(span, onDemand("4k"));
  for (let page = 0; page < span; page += stride) guest.write((base + page) as Vpn);
  machine.snapshot();
  const { residentBytes } = memoryInUse();
  // One pointer beside each entry of 8 bytes; slot 0 is nobody's.
  const pointers = memory.next.subarray(0, (memory.bytesInUse + 4096) / 8);
  return {
    ...extent,
    pages: Math.ceil(span / stride),
    tableBytes: memory.bytesInUse - kernelBytes,
    pointerBytes: committedBytes(pointers),
    residentBytes: residentBytes - before,
  };
}

const wordsPerHostPage = 1024;

/** Bytes of the host pages in which a column has anything but zeros. */
function committedBytes(column: Int32Array): number {
  let bytes = 0;
  for (let at = 0; at < column.length; at += wordsPerHostPage) {
    const page = column.subarray(at, at + wordsPerHostPage);
    if (page.some((word) => word !== 0)) bytes += page.byteLength;
  }
  return bytes;
}
