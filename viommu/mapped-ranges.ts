/**
 * What a hypervisor has mapped for a device: ranges of IO virtual pages that do not overlap, sizes as guest leaves have
 * them: powers of two of pages, aligned to themselves.
 *
 * Source: QEMU 7.2 util/iova-tree.c, as hw/i386/intel_iommu.c uses it.
 */
import type { DmaRights } from "../linux/iommu/entry-formats.ts";

export interface MappedRange {
  readonly page: number;
  readonly pages: number;
  readonly gfn: number;
  readonly rights: DmaRights;
}

/** Ranges of this many pages and fewer are kept by the group of this many that they lie in. */
const group = 512;

export class MappedRanges {
  private readonly small = new Map<number, Map<number, MappedRange>>();
  private readonly large = new Map<number, MappedRange>();
  /** Have there been sizes between one page and a group of them? Only AMD's entries have them. */
  private hasBetween = false;

  insert(range: MappedRange): void {
    if (range.pages >= group) {
      this.large.set(range.page, range);
      return;
    }
    if (range.pages > 1) this.hasBetween = true;
    const key = Math.floor(range.page / group);
    const ranges = this.small.get(key);
    if (ranges === undefined) this.small.set(key, new Map([[range.page, range]]));
    else ranges.set(range.page, range);
  }

  /** A range that has pages in [page, page + pages); null when none has. */
  find(page: number, pages: number): MappedRange | null {
    for (const range of this.large.values()) {
      if (range.page < page + pages && page < range.page + range.pages) return range;
    }
    for (const ranges of this.groupsOf(page, pages)) {
      if (pages === 1 && !this.hasBetween) return ranges.get(page) ?? null;
      for (const range of ranges.values()) {
        if (range.page < page + pages && page < range.page + range.pages) return range;
      }
    }
    return null;
  }

  /** Forgets every range that has pages in [page, page + pages). */
  remove(page: number, pages: number): void {
    for (const range of this.large.values()) {
      if (range.page < page + pages && page < range.page + range.pages) {
        this.large.delete(range.page);
      }
    }
    for (const ranges of this.groupsOf(page, pages)) {
      if (pages === 1 && !this.hasBetween) {
        ranges.delete(page);
        continue;
      }
      for (const [at, range] of ranges) {
        if (at < page + pages && page < at + range.pages) ranges.delete(at);
      }
    }
  }

  /** All of them, in no order. */
  *all(): Iterable<MappedRange> {
    yield* this.large.values();
    for (const ranges of this.small.values()) yield* ranges.values();
  }

  private *groupsOf(page: number, pages: number): Iterable<Map<number, MappedRange>> {
    const first = Math.floor(page / group);
    const last = Math.floor((page + pages - 1) / group);
    if (last - first > this.small.size) {
      for (const [key, ranges] of this.small) if (key >= first && key <= last) yield ranges;
      return;
    }
    for (let key = first; key <= last; key++) {
      const ranges = this.small.get(key);
      if (ranges !== undefined) yield ranges;
    }
  }
}
