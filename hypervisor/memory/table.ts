/**
 * The host's own page table for one guest's memory: bytes in host memory, walked like every other.
 *
 * A page that shares its frame with others has no W: whoever is about to store asks for a frame of its own
 * first. Large pages are split when one of their pages goes another way.
 *
 * Model: pages of 1 GiB are split as those of 2 MiB are, where Linux has them from hugetlbfs only: there they are never
 * swapped or merged, and a copy-on-write copies all of the GiB. Bias: both.
 *
 * The hypervisor reaches guest memory through this table for every guest entry that it reads, so it has what the
 * host's processor has: a TLB. Whoever changes an entry drops the pages that it maps.
 *
 * Source: Linux mm/memory.c `copy_present_pte`, `__split_huge_pmd`.
 */
import {
  type Gfn,
  levelOfOrder,
  type PageOrder,
  pagesPerEntry,
  type Pfn,
} from "../../machine/address.ts";
import * as x86Entry from "../../machine/formats/x86-entry.ts";
import { x86 } from "../../machine/formats/x86.ts";
import type { FrameMemory } from "../platform.ts";
import {
  type EntryPlace,
  findPlace,
  forEachLeaf,
  makePlace,
  type RadixTree,
  splitLeaf,
  splitLeaves,
} from "../tables/radix.ts";

// Names of its own: see `../guest-walk.ts`.
const { asLarge, frameOf, isPresent, isUser, isWritable, userPage } = x86Entry;
const { withoutUser, withoutWrite, withUser, withWrite } = x86Entry;

/** Host-virtual page at which the VMM maps the guest's one memslot: 0x7f0000000000. */
const slotHva = 0x7_f000_0000;

/** `none`: the page is there, and whoever uses it in whatever way is to fault first. */
export type HostRights = "none" | "read" | "read-write";

export interface LargePage {
  readonly order: 9 | 18;
  readonly rights: HostRights;
}

/** Pages that the TLB has room for, a power of two; a page's place is its number modulo this. */
const tlbPlaces = 16_384;

export class HostTable {
  private readonly memory: FrameMemory;
  private readonly tree: RadixTree;
  /** By place of the TLB: the page there or -1, its entry's flags, its frame. */
  private readonly tlbPages = new Int32Array(tlbPlaces).fill(-1);
  private readonly tlbFlags = new Int32Array(tlbPlaces);
  /** Signed, which V8 need not make a double of: there are fewer than 2^31 frames. */
  private readonly tlbFrames = new Int32Array(tlbPlaces);
  private readonly tlbOrders = new Uint8Array(tlbPlaces);

  constructor(memory: FrameMemory) {
    this.memory = memory;
    this.tree = { memory, format: x86, root: memory.allocateTable(), levels: 4 };
  }

  /** The frame behind `gfn`, or -1. */
  pfnOf(gfn: Gfn): Pfn | -1 {
    const place = this.translate(gfn);
    return place === -1 ? -1 : (this.tlbFrames[place]! as Pfn);
  }

  /** Size of the host page behind `gfn`; 0 where there is none. */
  orderOf(gfn: Gfn): PageOrder {
    const place = this.translate(gfn);
    return place === -1 ? 0 : (this.tlbOrders[place]! as PageOrder);
  }

  isWritable(gfn: Gfn): boolean {
    const place = this.translate(gfn);
    return place !== -1 && isWritable(this.tlbFlags[place]!);
  }

  /** Has it no right at all, though it is there? */
  isClosed(gfn: Gfn): boolean {
    const place = this.translate(gfn);
    return place !== -1 && !isUser(this.tlbFlags[place]!);
  }

  rightsOf(gfn: Gfn): HostRights {
    if (this.isWritable(gfn)) return "read-write";
    return this.isClosed(gfn) ? "none" : "read";
  }

  map(gfn: Gfn, pfn: Pfn, rights: HostRights): void {
    const { table, index } = makePlace(this.tree, slotHva + gfn, 1);
    this.memory.writeEntry(table, index, pfn, withHostRights(userPage, rights));
    this.invalidate(gfn, 1);
  }

  /** Maps the page of `order` that starts at `first`, 2 MiB or 1 GiB, by one entry. */
  mapLarge(first: Gfn, pfn: Pfn, { order, rights }: LargePage): void {
    const level = levelOfOrder(order);
    const { table, index } = makePlace(this.tree, slotHva + first, level);
    this.memory.writeEntry(table, index, pfn, asLarge(withHostRights(userPage, rights)));
    this.invalidate(first, pagesPerEntry(level));
  }

  /** The page goes, and with it the large page that it was part of. */
  unmap(gfn: Gfn): void {
    this.split(gfn);
    const { table, index } = this.find(gfn);
    this.memory.write(table, index, 0, 0);
    this.invalidate(gfn, 1);
  }

  /** Changes the rights of the host page around `gfn`, whatever its size. */
  setRights(gfn: Gfn, rights: HostRights): void {
    const { table, index, level } = this.find(gfn);
    const low = this.memory.readLow(table, index);
    const changed = withHostRights(low, rights);
    if (changed === low) return;
    this.memory.setLow(table, index, changed);
    this.invalidate(gfn, pagesPerEntry(level));
  }

  /** The page becomes one of 4 KiB; what was large around it, pages as large as may be. */
  split(gfn: Gfn): void {
    const page = { start: slotHva + gfn, pages: 1 };
    splitLeaves(this.tree, page, ({ level }) => this.invalidate(gfn, pagesPerEntry(level)));
  }

  /** No host page lies on both sides of `gfn` any more. */
  splitAt(gfn: Gfn): void {
    for (;;) {
      const place = this.find(gfn);
      const pages = pagesPerEntry(place.level);
      if (!this.isPresent(place) || gfn % pages === 0) return;
      splitLeaf(this.tree, place);
      this.invalidate(gfn, pages);
    }
  }

  /** Every host page that maps something in the range: its first frame on either side, and how many pages it has. */
  forEach(start: Gfn, frames: number, visit: (gfn: Gfn, pfn: Pfn, pages: number) => void): void {
    forEachLeaf(this.tree, slotHva + start, frames, ({ table, index, level }, page) => {
      const low = this.memory.readLow(table, index);
      const pfn = frameOf(low, this.memory.readHigh(table, index)) as Pfn;
      visit((page - slotHva) as Gfn, pfn, pagesPerEntry(level));
    });
  }

  /** The TLB's place that has the page, after a walk if need be; -1 when nothing is mapped. Small, to be inlined. */
  private translate(gfn: Gfn): number {
    const place = gfn & (tlbPlaces - 1);
    return this.tlbPages[place] === gfn ? place : this.walk(gfn, place);
  }

  private walk(gfn: Gfn, place: number): number {
    const { table, index, level } = this.find(gfn);
    const low = this.memory.readLow(table, index);
    if (!isPresent(low)) return -1;
    const frame = frameOf(low, this.memory.readHigh(table, index));
    this.tlbPages[place] = gfn;
    this.tlbFlags[place] = low;
    this.tlbOrders[place] = (level - 1) * 9;
    this.tlbFrames[place] = frame + (gfn & (pagesPerEntry(level) - 1));
    return place;
  }

  /** The host page around `gfn`, of so many pages, is mapped in another way from now on. */
  private invalidate(gfn: Gfn, pages: number): void {
    if (pages >= tlbPlaces) {
      this.tlbPages.fill(-1);
      return;
    }
    const first = (gfn - (gfn % pages)) & (tlbPlaces - 1);
    this.tlbPages.fill(-1, first, first + pages);
  }

  private find(gfn: Gfn): EntryPlace {
    return findPlace(this.tree, slotHva + gfn);
  }

  private isPresent({ table, index }: EntryPlace): boolean {
    return isPresent(this.memory.readLow(table, index));
  }
}

function withHostRights(low: number, rights: HostRights): number {
  if (rights === "none") return withoutWrite(withoutUser(low));
  return rights === "read" ? withoutWrite(withUser(low)) : withWrite(withUser(low));
}
