/**
 * Linux's allocator of IO virtual pages: magazines of freed ranges by size, then a tree from the top of 4 GiB down.
 *
 * Model: one processor allocates, so there is one pair of magazines per size. Bias: none for one vCPU; with several, ranges
 * freed elsewhere come back later.
 *
 * Loads are counted as Linux makes them: a magazine's length, the range on top of it, a node of the tree that a search or a descent
 * comes by.
 *
 * Source: Linux 6.1 drivers/iommu/iova.c `alloc_iova_fast`, `__alloc_and_insert_iova_range`, `iova_rcache_insert`,
 * IOVA_MAG_SIZE, MAX_GLOBAL_MAGS.
 */
import { assert } from "../../machine/assert.ts";

/** Ranges in a magazine; magazines in the depot of a size; sizes that are cached: 1, 2, 4, ... 32 pages. */
const magazineSize = 127;
const depotSize = 32;
const cachedSizes = 6;
/** Pages below 4 GiB. */
const limit = 2 ** 20;

interface Range {
  readonly page: number;
  readonly pages: number;
}

/** Who counts loads of 8 bytes. */
export interface LoadCount {
  loads: number;
}

class SizeCache {
  private loaded: number[] = [];
  private previous: number[] = [];
  private readonly depot: number[][] = [];
  private readonly count: LoadCount;

  constructor(count: LoadCount) {
    this.count = count;
  }

  /** False: full, the range is the tree's again. Then `spilled` holds a magazine for the tree. */
  insert(page: number, spill: (pages: readonly number[]) => void): void {
    this.count.loads += 1;
    if (this.loaded.length === magazineSize) {
      this.count.loads += 1;
      if (this.previous.length < magazineSize) {
        [this.loaded, this.previous] = [this.previous, this.loaded];
      } else {
        if (this.depot.length < depotSize) this.depot.push(this.loaded);
        else spill(this.loaded);
        this.loaded = [];
      }
    }
    this.loaded.push(page);
  }

  take(): number | null {
    this.count.loads += 2;
    if (this.loaded.length === 0) {
      this.count.loads += 1;
      if (this.previous.length > 0) {
        [this.loaded, this.previous] = [this.previous, this.loaded];
      } else {
        const full = this.depot.pop();
        if (full !== undefined) this.loaded = full;
      }
    }
    return this.loaded.pop() ?? null;
  }
}

export class IovaAllocator {
  /** Allocations that went to the tree. */
  treeAllocations = 0;
  /** In use, from the highest down. */
  private readonly tree: Range[] = [];
  private readonly sizes = new Map<number, number>();
  private readonly caches: readonly SizeCache[];
  private readonly count: LoadCount;
  /** Where the last allocation ended: the next one looks from there down. */
  private from = 0;

  /** `reserved` is given to nobody; what a search loads is added to `count`. */
  constructor(reserved: readonly Range[], count: LoadCount = { loads: 0 }) {
    this.count = count;
    this.caches = Array.from({ length: cachedSizes }, () => new SizeCache(count));
    for (const range of reserved) this.insert(range);
  }

  /** The first page of a free range; size and alignment are rounded up to powers of two where they can be cached. */
  allocate(pages: number): number {
    const order = Math.ceil(Math.log2(pages));
    const rounded = order < cachedSizes ? 2 ** order : pages;
    const page = this.caches[order]?.take() ?? this.takeFromTree(rounded);
    this.sizes.set(page, rounded);
    return page;
  }

  free(page: number): void {
    const pages = this.sizes.get(page);
    assert(pages !== undefined, () => `iova: page ${page} is not in use`);
    this.sizes.delete(page);
    const cache = this.caches[Math.ceil(Math.log2(pages))];
    if (cache === undefined) this.remove(page);
    else cache.insert(page, (spilled) => spilled.forEach((one) => this.remove(one)));
  }

  /** Top down from the last one, then once more from the top. */
  private takeFromTree(pages: number): number {
    this.treeAllocations += 1;
    const align = 2 ** Math.ceil(Math.log2(pages));
    const page = this.gapFrom(this.from, pages, align) ?? this.gapFrom(0, pages, align);
    assert(page !== null, () => `iova: no ${pages} pages left below 4 GiB`);
    this.from = this.insert({ page, pages });
    return page;
  }

  /** Below the tree's range at `index` (or the top of all, at 0), the first gap that is large enough. */
  private gapFrom(index: number, pages: number, align: number): number | null {
    let high = index === 0 ? limit : Math.min(limit, this.tree[index]?.page ?? limit);
    for (let i = index; i <= this.tree.length; i++) {
      this.count.loads += 1;
      const range = this.tree[i];
      const bottom = range === undefined ? 0 : range.page + range.pages;
      const start = high - pages;
      const page = start - (((start % align) + align) % align);
      // Page 0 is never given out.
      if (page >= Math.max(bottom, 1)) return page;
      if (range !== undefined) high = Math.min(high, range.page);
    }
    return null;
  }

  /** Returns its place. */
  private insert(range: Range): number {
    const index = this.placeOf(range.page);
    this.tree.splice(index, 0, range);
    if (index < this.from) this.from += 1;
    return index;
  }

  private remove(page: number): void {
    const index = this.placeOf(page);
    assert(this.tree[index]?.page === page, () => `iova: page ${page} is not in the tree`);
    this.tree.splice(index, 1);
    // A gap above where the search begins: it begins there.
    if (index <= this.from) this.from = Math.max(0, index - 1);
  }

  /** Place of the first range at or below `page`. */
  private placeOf(page: number): number {
    let low = 0;
    let high = this.tree.length;
    while (low < high) {
      this.count.loads += 1;
      const middle = Math.floor((low + high) / 2);
      if ((this.tree[middle]?.page ?? -1) > page) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
