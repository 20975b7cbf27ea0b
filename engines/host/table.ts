/**
 * The host's own page table for one guest's memory: bytes in host memory, walked like every other.
 *
 * A page that shares its frame with others has no W: whoever is about to store asks for a frame of its own
 * first. Large pages are split when one of their pages goes another way.
 *
 * Source: Linux mm/memory.c `copy_present_pte`, `__split_huge_pmd`.
 */
import { type Gfn, indexAt, type Pfn } from "../../machine/address.ts";
import { A, D, frameOf, P, PS, U, W } from "../../machine/entry.ts";
import type { PhysicalMemory } from "../../machine/memory.ts";
import {
  type EntryPlace,
  findPlace,
  forEachLeaf,
  makePlace,
  type RadixTree,
  splitLeaf,
} from "../radix.ts";

/** Host-virtual page at which the VMM maps the guest's one memslot: 0x7f0000000000. */
const slotHva = 0x7_f000_0000;

const readFlags = P | U | A | D;

export type HostRights = "read" | "read-write";

export class HostTable {
  private readonly memory: PhysicalMemory;
  private readonly tree: RadixTree;
  /** Tables of 2 MiB entries by gigabyte of guest memory: such a table, once there, stays. */
  private readonly middles: Pfn[] = [];

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
    this.tree = { memory, root: memory.allocateTable(), levels: 4 };
  }

  /**
   * The frame behind `gfn`, or -1. Every read of a guest table asks this, so it starts two levels from the leaf
   * (a quarter of a trapped store).
   */
  pfnOf(gfn: Gfn): Pfn | -1 {
    const { memory } = this;
    const middle = this.middleOf(gfn);
    if (middle === -1) return -1;
    const above = indexAt(slotHva + gfn, 2);
    const link = memory.readLow(middle, above);
    if ((link & P) === 0) return -1;
    const frame = frameOf(link, memory.readHigh(middle, above));
    if ((link & PS) !== 0) return (frame + (gfn % 512)) as Pfn;
    const index = indexAt(slotHva + gfn, 1);
    const low = memory.readLow(frame as Pfn, index);
    return (low & P) === 0 ? -1 : (frameOf(low, memory.readHigh(frame as Pfn, index)) as Pfn);
  }

  /** Size of the host page behind `gfn`: 0 is 4 KiB, 9 is 2 MiB. */
  orderOf(gfn: Gfn): 0 | 9 {
    const place = this.find(gfn);
    return place.level === 2 && this.isPresent(place) ? 9 : 0;
  }

  isWritable(gfn: Gfn): boolean {
    const { table, index } = this.find(gfn);
    return (this.memory.readLow(table, index) & W) !== 0;
  }

  map(gfn: Gfn, pfn: Pfn, rights: HostRights): void {
    const { table, index } = makePlace(this.tree, slotHva + gfn, 1);
    this.memory.writeEntry(table, index, pfn, flagsOf(rights));
  }

  /** Maps 512 frames from `first` on, a multiple of 512, by one entry. */
  mapLarge(first: Gfn, pfn: Pfn, rights: HostRights): void {
    const { table, index } = makePlace(this.tree, slotHva + first, 2);
    this.memory.writeEntry(table, index, pfn, flagsOf(rights) | PS);
  }

  /** The page goes, and with it the large page that it was part of. */
  unmap(gfn: Gfn): void {
    this.split(gfn);
    const { table, index } = this.find(gfn);
    this.memory.write(table, index, 0, 0);
  }

  /** Changes the rights of the host page around `gfn`, whatever its size. */
  setRights(gfn: Gfn, rights: HostRights): void {
    const { table, index } = this.find(gfn);
    const low = this.memory.readLow(table, index);
    const changed = rights === "read" ? low & ~W : low | W;
    if (changed !== low) this.memory.setLow(table, index, changed);
  }

  split(gfn: Gfn): void {
    const place = this.find(gfn);
    if (place.level === 2 && this.isPresent(place)) splitLeaf(this.tree, place);
  }

  /** Every host page that maps something in the range: its first frame on either side, and 1 or 512 pages. */
  forEach(start: Gfn, frames: number, visit: (gfn: Gfn, pfn: Pfn, pages: number) => void): void {
    forEachLeaf(this.tree, slotHva + start, frames, ({ table, index, level }, page) => {
      const low = this.memory.readLow(table, index);
      const pfn = frameOf(low, this.memory.readHigh(table, index)) as Pfn;
      visit((page - slotHva) as Gfn, pfn, level === 1 ? 1 : 512);
    });
  }

  private middleOf(gfn: Gfn): Pfn | -1 {
    const gigabyte = Math.floor(gfn / 512 ** 2);
    const known = this.middles[gigabyte];
    if (known !== undefined) return known;
    if (this.find(gfn).level > 2) return -1;
    const { table } = makePlace(this.tree, slotHva + gfn, 2);
    this.middles[gigabyte] = table;
    return table;
  }

  private find(gfn: Gfn): EntryPlace {
    return findPlace(this.tree, slotHva + gfn);
  }

  private isPresent({ table, index }: EntryPlace): boolean {
    return (this.memory.readLow(table, index) & P) !== 0;
  }
}

function flagsOf(rights: HostRights): number {
  return rights === "read" ? readFlags : readFlags | W;
}
