/**
 * The tables of address spaces: found, grown, split and freed by loads and stores through the direct map.
 *
 * The kernel remembers roots and nothing else; every step down is a load, as in Linux. One walk
 * (`visitLeaves`) serves unmapping, protecting and forking; one (`tableAt`) serves faults.
 *
 * Source: Linux mm/memory.c (unmap_page_range, free_pgd_range, copy_page_range), mm/huge_memory.c.
 */
import {
  entriesPerTable,
  type Gfn,
  indexAt,
  pagesPerEntry,
  type PagingLevels,
  type Vpn,
} from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import {
  asGlobal,
  asSmall,
  flagsOf,
  frameOf,
  isLarge,
  isPresent,
  noExecute,
  nxOf,
  userPage,
} from "../machine/formats/x86-entry.ts";
import { kernelHalf } from "../machine/gva.ts";
import type { AddressSpace } from "./address-space.ts";
import type { Contexts } from "./contexts.ts";
import type { DirectMap } from "./direct-map.ts";
import type { FrameAllocator } from "./frames.ts";
import type { Gather } from "./gather.ts";
import { entryAreaTop, userLayout } from "./layout.ts";
import type { KernelOptions } from "./options.ts";
import type { TableFrames } from "./table-frames.ts";
import { type Vma, Vmas } from "./vmas.ts";

/** In an entry with P clear: the page exists but nobody may touch it (Linux's _PAGE_PROTNONE). */
export const PROTNONE = asGlobal(0);

/** True for an entry that holds a frame, accessible or not. */
export function isUsed(low: number): boolean {
  return isPresent(low) || (low & PROTNONE) !== 0;
}

/** An entry that maps a page, as the walk found it. */
export interface Leaf {
  readonly vpn: Vpn;
  /** 1 for 4 KiB, 2 for 2 MiB. */
  readonly level: number;
  readonly table: Gfn;
  readonly index: number;
  readonly low: number;
  readonly high: number;
}

export interface TableParts {
  readonly map: DirectMap;
  readonly frames: FrameAllocator;
  readonly tableFrames: TableFrames;
  readonly contexts: Contexts;
  readonly options: KernelOptions;
  /** The boot image's root. */
  readonly kernelRoot: Gfn;
}

export class PageTables {
  private readonly parts: TableParts;

  constructor(parts: TableParts) {
    this.parts = parts;
  }

  /** An empty space: kernel half shared, user half zero. */
  createSpace(): AddressSpace {
    const { map, tableFrames, kernelRoot, options } = this.parts;
    const root = tableFrames.take();
    map.copy(root, kernelRoot);
    let userRoot: Gfn | null = null;
    if (options.kpti) {
      userRoot = tableFrames.take();
      map.zero(userRoot);
      const low = map.load(kernelRoot, entryAreaTop);
      const at = { table: userRoot, index: entryAreaTop };
      map.storeLink(at, frameOf(low, map.high) as Gfn, flagsOf(low), nxOf(map.high));
    }
    const vmas = new Vmas(userLayout(options.levels).mmapEnd);
    return { root, userRoot, vmas, copiedFiles: new Set(), threads: 1, generation: 0 };
  }

  /** Frees the roots; everything below is gone already. */
  destroySpace({ root, userRoot }: AddressSpace): void {
    this.parts.tableFrames.release(root);
    if (userRoot !== null) this.parts.tableFrames.release(userRoot);
  }

  /** The table whose entries at `level` cover `vpn`, grown where it is missing. */
  tableAt(space: AddressSpace, vpn: Vpn, level: 1 | 2): Gfn {
    const { map, options } = this.parts;
    let table = space.root;
    for (let above: number = options.levels; above > level; above--) {
      const index = indexAt(vpn, above);
      const low = map.load(table, index);
      if (!isPresent(low)) {
        table = this.growTable(space, { table, index, level: above });
      } else {
        assert(!isLarge(low), `tables: vpn ${vpn} has a large page at level ${above}`);
        table = frameOf(low, map.high) as Gfn;
      }
    }
    return table;
  }

  /** Links a zeroed table below the entry. */
  growTable(space: AddressSpace, at: { table: Gfn; index: number; level: number }): Gfn {
    const { map, tableFrames } = this.parts;
    const below = tableFrames.take();
    map.zero(below);
    this.storeLink(space, at, below);
    return below;
  }

  /**
   * Calls `visit` for every entry that maps pages in [from, to), in address order. A 2 MiB entry that
   * the range cuts is split first, so `visit` always gets whole entries.
   */
  visitLeaves(space: AddressSpace, from: number, to: number, visit: (leaf: Leaf) => void): void {
    this.descend({ table: space.root, level: this.parts.options.levels, space, visit }, from, to);
  }

  /**
   * Frees the tables that no region needs any more, after the entries of the regions `gone` (in address
   * order) were cleared. A table that several of them used goes with the last.
   */
  freeTables(space: AddressSpace, gone: readonly Vma[], gather: Gather): void {
    const level = this.parts.options.levels;
    gone.forEach(({ start, end }, i) => {
      const ceiling = gone[i + 1]?.start ?? Infinity;
      this.prune({ table: space.root, level, space, gather, ceiling }, start, end);
    });
  }

  /**
   * Turns a 2 MiB entry into a table of 512 entries with the same rights. The old entry goes and is
   * flushed first: two sizes for one address must never be cached at once.
   */
  splitLeaf({ vpn, table, index, low, high }: Leaf): Gfn {
    const { map, tableFrames, contexts } = this.parts;
    const base = vpn - (vpn % entriesPerTable);
    const small = tableFrames.take();
    map.clear(table, index);
    contexts.flushPage(base as Vpn);
    const first = frameOf(low, high);
    const flags = asSmall(flagsOf(low));
    for (let i = 0; i < entriesPerTable; i++) {
      map.storeEntry(small, i, first + i, flags, nxOf(high));
    }
    map.storeLink({ table, index }, small, userPage);
    return small;
  }

  private descend(
    at: { table: Gfn; level: number; space: AddressSpace; visit: (leaf: Leaf) => void },
    from: number,
    to: number,
  ): void {
    const { map } = this.parts;
    const { table, level, space, visit } = at;
    const span = pagesPerEntry(level);
    for (let vpn = from; vpn < to;) {
      const next = Math.min(to, vpn - (vpn % span) + span);
      const index = indexAt(vpn, level);
      const low = map.load(table, index);
      if (isUsed(low)) {
        const high = map.high;
        const mapsPages = level === 1 || isLarge(low);
        const leaf: Leaf = { vpn: vpn as Vpn, level, table, index, low, high };
        if (mapsPages && next - vpn === span) {
          visit(leaf);
        } else {
          const below = mapsPages ? this.splitLeaf(leaf) : (frameOf(low, high) as Gfn);
          this.descend({ table: below, level: level - 1, space, visit }, vpn, next);
        }
      }
      vpn = next;
    }
  }

  private prune(
    at: { table: Gfn; level: number; space: AddressSpace; gather: Gather; ceiling: number },
    from: number,
    to: number,
  ): void {
    const { map } = this.parts;
    const { table, level, space, gather, ceiling } = at;
    const span = pagesPerEntry(level);
    for (let vpn = from; vpn < to;) {
      const start = vpn - (vpn % span);
      const next = Math.min(to, start + span);
      const index = indexAt(vpn, level);
      const low = map.load(table, index);
      if (isPresent(low) && !isLarge(low)) {
        const below = frameOf(low, map.high) as Gfn;
        if (level > 2) this.prune({ ...at, table: below, level: level - 1 }, vpn, next);
        if (ceiling >= start + span && !space.vmas.intersects(start, start + span)) {
          this.storeLink(space, { table, index, level }, null);
          // Walk caches may hold the way to the dead table, though none of its pages was mapped.
          gather.changed(vpn as Vpn, 1);
          gather.release(below);
        }
      }
      vpn = next;
    }
  }

  /** Stores a link to a table, or clears it; under KPTI a top-level link goes into both roots. */
  storeLink(
    space: AddressSpace,
    { table, index, level }: { table: Gfn; index: number; level: number },
    below: Gfn | null,
  ): void {
    const { map, options } = this.parts;
    const roots =
      level === options.levels && space.userRoot !== null ? [space.userRoot, table] : [table];
    for (const at of roots) {
      // The kernel must never run user code, not even by accident: its copy of the link forbids it.
      const nx = roots.length === 2 && at === table ? noExecute : 0;
      if (below === null) map.clear(at, index);
      else map.storeLink({ table: at, index }, below, userPage, nx);
    }
  }
}

/** Pages that user programs may map: page 0 too, as with `vm.mmap_min_addr` 0, for recordings that use it. */
export function assertUserRange(vpn: number, pages: number, levels: PagingLevels): void {
  assert(
    Number.isInteger(vpn) &&
      Number.isInteger(pages) &&
      vpn >= 0 &&
      pages > 0 &&
      vpn + pages <= kernelHalf(levels),
    `guest: ${pages} pages at vpn ${vpn} are no user range`,
  );
}
