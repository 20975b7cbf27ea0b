/**
 * The walk by which a hypervisor brings a device's mappings up to date with the guest's IO tables.
 *
 * It visits every leaf slot of a range and compares with what is mapped: new leaves are mapped, gone ones unmapped, equal
 * ones left. One call per guest leaf, whatever their frames: a guest's 2 MiB of small pages are 512 calls. A changed leaf
 * is unmapped and mapped: a device that reaches it in between faults.
 *
 * Source: QEMU 7.2 hw/i386/intel_iommu.c `vtd_page_walk_level`, `vtd_page_walk_one`.
 */
import { indexAt, pagesPerEntry } from "../machine/address.ts";
import { secondLevel, SL_R, SL_W } from "../machine/formats/second-level.ts";
import type { QueueMemory } from "../machine/iommu/queue-memory.ts";
import type { DmaRights } from "../linux/iommu/entry-formats.ts";
import type { MappedRange, MappedRanges } from "./mapped-ranges.ts";

/** How a guest's IO entries are read, without an object for each. */
export interface IoEntries {
  /** 1 to read, 2 to write; 0: not present. */
  readonly rights: (low: number, high: number) => number;
  /** Level of the table that a present entry at `level` names; 0: a leaf. */
  readonly next: (low: number, level: number) => number;
  /** log2 of a leaf's pages, and its first frame. */
  readonly order: (low: number, high: number, level: number) => number;
  readonly frame: (low: number, high: number, order: number) => number;
}

export const secondLevelEntries: IoEntries = {
  rights: (low) => low & (SL_R | SL_W),
  next: (low, level) => (secondLevel.isLeaf(level, low) ? 0 : level - 1),
  order: (_low, _high, level) => 9 * (level - 1),
  frame: (low, high) => secondLevel.frameOf(low, high),
};

/** What a hypervisor's walks did. Sizes are by level of the guest's leaf: index 1, 2 or 3. */
export interface WalkCounts {
  /** Table pages visited. */
  tables: number;
  mapped: [number, number, number, number];
  unmapped: [number, number, number, number];
  /** Leaves that were as mapped, slots that were empty and not mapped. */
  skippedMapped: number;
  skippedEmpty: number;
  /** Leaves that had changed: each left a window without a mapping. */
  replaced: number;
}

export function createWalkCounts(): WalkCounts {
  return {
    tables: 0,
    mapped: [0, 0, 0, 0],
    unmapped: [0, 0, 0, 0],
    skippedMapped: 0,
    skippedEmpty: 0,
    replaced: 0,
  };
}

/** Who keeps a device's mappings: VFIO. */
export interface MappingUser {
  map(range: MappedRange): void;
  unmap(page: number, pages: number): void;
}

export interface ShadowedDevice {
  readonly mapped: MappedRanges;
  readonly user: MappingUser;
}

export interface GuestTable {
  readonly memory: QueueMemory;
  readonly root: number;
  readonly levels: number;
  readonly entries: IoEntries;
}

interface Walk extends ShadowedDevice {
  readonly memory: QueueMemory;
  readonly entries: IoEntries;
  readonly counts: WalkCounts;
  /** First page behind the range. */
  readonly end: number;
}

/** Brings [page, page + pages) of a device up to date with the guest's table. */
export function shadowRange(
  device: ShadowedDevice,
  { memory, root, levels, entries }: GuestTable,
  range: { readonly page: number; readonly pages: number },
  counts: WalkCounts,
): void {
  const end = Math.min(range.page + range.pages, pagesPerEntry(levels + 1));
  const { mapped, user } = device;
  const walk: Walk = { mapped, user, memory, entries, counts, end };
  walkTable(walk, { table: root, level: levels }, range.page, SL_R | SL_W);
}

function walkTable(
  walk: Walk,
  { table, level }: { readonly table: number; readonly level: number },
  start: number,
  above: number,
): void {
  walk.counts.tables += 1;
  const span = pagesPerEntry(level);
  const tableEnd = (Math.floor(start / (span * 512)) + 1) * span * 512;
  const end = Math.min(walk.end, tableEnd);
  const { memory, entries } = walk;
  for (let page = start; page < end;) {
    const index = indexAt(page, level);
    const low = memory.readLow(table, index);
    const high = memory.readHigh(table, index);
    const rights = above & entries.rights(low, high);
    const next = rights === 0 ? 0 : entries.next(low, level);
    let pages = span;
    if (next > 0) {
      walkTable(walk, { table: entries.frame(low, high, 0), level: next }, page, rights);
    } else if (rights === 0) {
      dropSlot(walk, { page: page - (page % span), pages: span }, level);
    } else {
      const order = entries.order(low, high, level);
      pages = 2 ** order;
      const place = { page: page - (page % pages), pages };
      const leaf = { ...place, gfn: entries.frame(low, high, order), rights: rightsNamed(rights) };
      mapLeaf(walk, leaf, level);
    }
    page = page - (page % pages) + pages;
  }
}

function rightsNamed(rights: number): DmaRights {
  if (rights === (SL_R | SL_W)) return "read-write";
  return rights === SL_R ? "read" : "write";
}

function dropSlot(walk: Walk, { page, pages }: { page: number; pages: number }, level: number) {
  const { mapped, user, counts } = walk;
  const old = mapped.find(page, pages);
  if (old === null) {
    counts.skippedEmpty += 1;
    return;
  }
  // A page of several slots goes as one.
  const whole = old.pages > pages ? old : { page, pages };
  mapped.remove(whole.page, whole.pages);
  counts.unmapped[level] = (counts.unmapped[level] ?? 0) + 1;
  user.unmap(whole.page, whole.pages);
}

function mapLeaf({ mapped, user, counts }: Walk, leaf: MappedRange, level: number): void {
  const old = mapped.find(leaf.page, leaf.pages);
  if (old !== null) {
    if (isSame(old, leaf)) {
      counts.skippedMapped += 1;
      return;
    }
    // There is no replacing a mapping in VFIO type 1.
    counts.replaced += 1;
    const whole = old.pages > leaf.pages ? old : leaf;
    mapped.remove(whole.page, whole.pages);
    user.unmap(whole.page, whole.pages);
  }
  mapped.insert(leaf);
  counts.mapped[level] = (counts.mapped[level] ?? 0) + 1;
  user.map(leaf);
}

function isSame(one: MappedRange, other: MappedRange): boolean {
  return (
    one.page === other.page &&
    one.pages === other.pages &&
    one.gfn === other.gfn &&
    one.rights === other.rights
  );
}
