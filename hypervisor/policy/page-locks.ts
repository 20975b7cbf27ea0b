/**
 * Locked pages, found by where a table stands: the role of a shadow table.
 *
 * A guest table may hang in a tree at several places (a self map, two entries that link it), so what its shadow must
 * say depends on the place. A place that leads to a locked page has a number of its own, its role; 0 is every
 * other place. A shadow table belongs to one role, as KVM's belong to access rights, so that the locked path has
 * private twins.
 */
import { type Gfn, pagesPerEntry, type Vpn } from "../../machine/address.ts";

/** What a locked page means. */
export interface LockedPage {
  /** Null: whatever the guest says. */
  readonly gfn: Gfn | null;
  /** `ACC_*`: the most that it may allow. */
  readonly access: number;
}

interface Place {
  readonly level: number;
  /** First page that the table translates. */
  readonly base: number;
}

/** Deepest tree that a guest may have. */
const levelsMax = 5;

export class PageLocks {
  private readonly pages = new Map<number, LockedPage>();
  /** By level, role by the first page of what a table there translates. */
  private readonly roles = Array.from({ length: levelsMax + 1 }, () => new Map<number, number>());
  private readonly places: Place[] = [{ level: 0, base: 0 }];

  /** A second lock of a page takes rights, and never moves it. */
  lock(vpn: Vpn, { gfn, access }: LockedPage): void {
    const before = this.pages.get(vpn);
    this.pages.set(vpn, before === undefined ? { gfn, access } : narrowed(before, access));
    for (let level = 1; level <= levelsMax; level++) {
      const base = baseOf(vpn, level);
      if (this.roles[level]!.has(base)) continue;
      this.roles[level]!.set(base, this.places.length);
      this.places.push({ level, base });
    }
  }

  at(vpn: number): LockedPage | null {
    return this.pages.get(vpn) ?? null;
  }

  /** The role of a table at `level` on the way to `vpn`. */
  roleOf(vpn: number, level: number): number {
    return this.roles[level]!.get(baseOf(vpn, level)) ?? 0;
  }

  /** The page that entry `index` of a leaf table of this role translates, or -1 in role 0. */
  pageAt(role: number, index: number): number {
    return role === 0 ? -1 : this.places[role]!.base + index;
  }

  /** The role of the table below entry `index` of a table of this role. */
  below(role: number, index: number): number {
    if (role === 0) return 0;
    const { level, base } = this.places[role]!;
    return this.roles[level - 1]!.get(base + index * pagesPerEntry(level)) ?? 0;
  }

  entries(): Iterable<readonly [vpn: number, page: LockedPage]> {
    return this.pages;
  }
}

function narrowed({ gfn, access }: LockedPage, by: number): LockedPage {
  return { gfn, access: access & by };
}

function baseOf(vpn: number, level: number): number {
  return vpn - (vpn % pagesPerEntry(level + 1));
}
