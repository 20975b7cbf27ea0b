/**
 * Which guest frames are shadowed tables, and which large regions hold one: no large leaf may map those.
 *
 * Source: KVM `account_shadowed`, which counts tables per page of each size.
 */
import { type Gfn, pagesPerEntry } from "../../machine/address.ts";

/** Levels of large leaves: 2 MiB and 1 GiB. */
export const largeLevels = [2, 3] as const;

/** First frame of what a leaf of `level` that maps `gfn` maps. */
export function firstIn(gfn: Gfn, level: number): Gfn {
  return (gfn - (gfn % pagesPerEntry(level))) as Gfn;
}

export class TableRegions {
  /** By frame: 1 where a table is. Every exit asks, some twice. */
  private readonly tables: Uint8Array;
  /** Tables by the first frame of the region, where there are any. */
  private readonly counts = { 2: new Map<Gfn, number>(), 3: new Map<Gfn, number>() };

  constructor(frames: number) {
    this.tables = new Uint8Array(frames);
  }

  isTable(gfn: Gfn): boolean {
    return this.tables[gfn] === 1;
  }

  add(table: Gfn): void {
    this.tables[table] = 1;
    this.count(table, 1);
  }

  remove(table: Gfn): void {
    this.tables[table] = 0;
    this.count(table, -1);
  }

  /** Is there a table in the page of `level` around `gfn`? */
  holds(gfn: Gfn, level: number): boolean {
    return this.counts[level === 3 ? 3 : 2].has(firstIn(gfn, level));
  }

  private count(table: Gfn, step: 1 | -1): void {
    for (const level of largeLevels) {
      const counts = this.counts[level];
      const first = firstIn(table, level);
      const count = (counts.get(first) ?? 0) + step;
      if (count === 0) counts.delete(first);
      else counts.set(first, count);
    }
  }
}
