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
import type { QueueMemory } from "../machine/iommu/queue.ts";
import type { DmaRights } from "../linux/iommu/entry-formats.ts";
import type { MappedRange, MappedRanges } from "./mapped-ranges.ts";

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
}

interface Walk extends ShadowedDevice {
  readonly memory: QueueMemory;
  readonly counts: WalkCounts;
  /** First page behind the range. */
  readonly end: number;
}

/** Brings [page, page + pages) of a device up to date with the guest's table. */
export function shadowRange(
  device: ShadowedDevice,
  { memory, root, levels }: GuestTable,
  range: { readonly page: number; readonly pages: number },
  counts: WalkCounts,
): void {
  const end = Math.min(range.page + range.pages, pagesPerEntry(levels + 1));
  const { mapped, user } = device;
  walkTable({ mapped, user, memory, counts, end }, { table: root, level: levels }, range.page, 3);
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
  for (let page = start; page < end; page = page - (page % span) + span) {
    const index = indexAt(page, level);
    const low = walk.memory.readLow(table, index);
    const rights = above & low & (SL_R | SL_W);
    const frame = secondLevel.frameOf(low, walk.memory.readHigh(table, index));
    if (rights !== 0 && !secondLevel.isLeaf(level, low)) {
      walkTable(walk, { table: frame, level: level - 1 }, page, rights);
      continue;
    }
    const place = { page: page - (page % span), pages: span };
    if (rights === 0) dropSlot(walk, place, level);
    else mapLeaf(walk, { ...place, gfn: frame, rights: rightsNamed(rights) }, level);
  }
}

function rightsNamed(rights: number): DmaRights {
  if (rights === (SL_R | SL_W)) return "read-write";
  return rights === SL_R ? "read" : "write";
}

function dropSlot(walk: Walk, { page, pages }: { page: number; pages: number }, level: number) {
  const { mapped, user, counts } = walk;
  if (mapped.find(page, pages) === null) {
    counts.skippedEmpty += 1;
    return;
  }
  mapped.remove(page, pages);
  counts.unmapped[level] = (counts.unmapped[level] ?? 0) + 1;
  user.unmap(page, pages);
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
    mapped.remove(leaf.page, leaf.pages);
    user.unmap(leaf.page, leaf.pages);
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
