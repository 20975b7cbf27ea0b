/**
 * Tables in Intel's nested format, seen as x86-64 entries: so the shadow MMU serves both vendors.
 *
 * Two views. L0's own tables: what is written as x86-64 lies in memory as EPT. L1's: what lies there as EPT reads as x86-64,
 * and of what is written only A and D reach it.
 *
 * Source: SDM vol. 3C 29.3.2 "EPT Translation Mechanism"; KVM paging_tmpl.h, which has the guest's format as a parameter.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import { ept } from "../../machine/formats/ept.ts";
import { MAY_READ } from "../../machine/formats/format.ts";
import {
  asLarge,
  highHalf,
  isAccessed,
  isDirty,
  isExecutable,
  isPresent,
  isWritable,
  lowHalf,
  noExecute,
  withAccessed,
  withDirty,
  withPresent,
  withUser,
  withWrite,
} from "../../machine/formats/x86-entry.ts";
import type { HostMemory } from "../../hypervisor/memory/host-memory.ts";
import type { FrameMemory } from "../../hypervisor/platform.ts";

const { accessed, dirty } = ept;
/** Frame, the mark of a large leaf, and the bits that silicon ignores in both formats. */
const kept = asLarge(0xffff_f000) | 0x400;
const wordsPerFrame = 1024;

function lowFromEpt(low: number): number {
  if ((low & ept.link) === 0) return 0;
  let seen = withUser(withPresent(low & kept));
  if ((low & ept.write) !== 0) seen = withWrite(seen);
  if ((low & accessed) !== 0) seen = withAccessed(seen);
  return (low & dirty) === 0 ? seen : withDirty(seen);
}

function highFromEpt(low: number, high: number): number {
  const isFetchable = (low & ept.link) === 0 || (low & ept.execute) !== 0;
  return (high & ~noExecute) | (isFetchable ? 0 : noExecute);
}

function lowToEpt(low: number, high: number): number {
  if (!isPresent(low)) return 0;
  const rights =
    MAY_READ | (isWritable(low) ? ept.write : 0) | (isExecutable(high) ? ept.execute : 0);
  return (low & kept) | rights | marksToEpt(low);
}

function marksToEpt(low: number): number {
  return (isAccessed(low) ? accessed : 0) | (isDirty(low) ? dirty : 0);
}

/** L0's tables, written as x86-64 entries. */
export function eptTables(bytes: FrameMemory): FrameMemory {
  const write = (pfn: Pfn, index: number, low: number, high: number): void =>
    bytes.write(pfn, index, lowToEpt(low, high), high & ~noExecute);
  const view: Partial<FrameMemory> = {
    readLow: (pfn, index) => lowFromEpt(bytes.readLow(pfn, index)),
    readHigh: (pfn, index) => highFromEpt(bytes.readLow(pfn, index), bytes.readHigh(pfn, index)),
    write,
    writeEntry: (pfn, index, frame, flags, nx) =>
      write(pfn, index, lowHalf(frame, flags), highHalf(frame, nx)),
    setLow: (pfn, index, low) =>
      bytes.setLow(pfn, index, lowToEpt(low, highFromEpt(bytes.readLow(pfn, index), 0))),
  };
  // All else is the memory's own.
  return Object.assign(Object.create(bytes) as FrameMemory, view);
}

/** L1's memory, with what L1's tables say as x86-64 entries. */
export interface EptGuest extends HostMemory {
  /** Does L1 have A and D set in its tables? If not, every entry counts as used and written. */
  hasMarks: boolean;
}

export function eptGuest(memory: HostMemory): EptGuest {
  const words = new Int32Array(wordsPerFrame);
  const view: EptGuest = {
    ...memory,
    hasMarks: true,
    words,
    wordsOf(gfn) {
      const first = memory.wordsOf(gfn);
      for (let word = 0; word < wordsPerFrame; word += 2) {
        const low = memory.words[first + word]!;
        words[word] = seen(lowFromEpt(low));
        words[word + 1] = highFromEpt(low, memory.words[first + word + 1]!);
      }
      return 0;
    },
    readLow: (gfn, index) => seen(lowFromEpt(memory.readLow(gfn, index))),
    readHigh: (gfn, index) => highFromEpt(memory.readLow(gfn, index), memory.readHigh(gfn, index)),
    write(gfn: Gfn, index, low) {
      if (!view.hasMarks) return;
      const marks = marksToEpt(low);
      memory.write(gfn, index, memory.readLow(gfn, index) | marks, memory.readHigh(gfn, index));
    },
  };

  function seen(low: number): number {
    return view.hasMarks || low === 0 ? low : withDirty(withAccessed(low));
  }

  return view;
}
