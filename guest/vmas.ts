/**
 * The mapped regions of one address space: what the kernel knows before any table exists.
 *
 * A sorted list of disjoint regions. Unmapping and protecting split regions at the borders; equal
 * neighbours merge again, so a program that unprotects page after page does not grow the list for ever.
 */
import type { Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import type { MapOptions, SignalHandler } from "./guest.ts";

export type Access = "none" | "read" | "read-write";

export interface Vma {
  readonly start: number;
  /** First page behind the region. */
  readonly end: number;
  readonly access: Access;
  readonly executable: boolean;
  /** Transparent 2 MiB pages were asked for. */
  readonly huge: boolean;
  /** File behind the region (private mapping), or null for anonymous memory. */
  readonly file: number | null;
  /** Page of the file at `start`. */
  readonly filePage: number;
  /** A forbidden access is the program's business, and what its signal handler does then; null: a mistake. */
  readonly signals: SignalHandler | null;
}

/** The region of a new mapping. */
export function regionOf(vpn: Vpn, pages: number, options: MapOptions): Vma {
  return {
    start: vpn,
    end: vpn + pages,
    access: options.writable ? "read-write" : "read",
    executable: options.executable ?? false,
    huge: options.pages === "2m",
    file: options.file ?? null,
    filePage: 0,
    signals: options.onForbidden ?? null,
  };
}

export class Vmas {
  private list: Vma[] = [];
  private readonly mmapEnd: number;
  /** Index of the last region found: neighbouring faults hit it again. */
  private last = 0;

  /** mmap goes down from `mmapEnd`. */
  constructor(mmapEnd: number) {
    this.mmapEnd = mmapEnd;
  }

  get all(): readonly Vma[] {
    return this.list;
  }

  find(vpn: Vpn): Vma | undefined {
    const recent = this.list[this.last];
    if (recent !== undefined && recent.start <= vpn && vpn < recent.end) return recent;
    const index = this.firstEndingAfter(vpn);
    const vma = this.list[index];
    if (vma === undefined || vma.start > vpn) return undefined;
    this.last = index;
    return vma;
  }

  intersects(from: number, to: number): boolean {
    const vma = this.list[this.firstEndingAfter(from)];
    return vma !== undefined && vma.start < to;
  }

  insert(vma: Vma): void {
    assert(vma.start < vma.end, `vmas: region at vpn ${vma.start} is empty`);
    const index = this.firstEndingAfter(vma.start);
    const behind = this.list[index];
    assert(
      behind === undefined || behind.start >= vma.end,
      `vmas: vpn ${vma.start} is mapped already`,
    );
    this.list.splice(index, 0, vma);
    this.mergeAround(index, index);
  }

  /** Removes what lies in [from, to), splitting regions at the borders. Returns the removed parts. */
  carve(from: number, to: number): Vma[] {
    this.splitAt(from);
    this.splitAt(to);
    const first = this.firstEndingAfter(from);
    let count = 0;
    while (first + count < this.list.length && this.list[first + count]!.start < to) count += 1;
    return this.list.splice(first, count);
  }

  /** Changes what lies in [from, to). Returns the changed parts as they were. */
  protect(from: number, to: number, access: Access): Vma[] {
    const parts = this.carve(from, to);
    const first = this.firstEndingAfter(from);
    this.list.splice(first, 0, ...parts.map((vma) => ({ ...vma, access })));
    this.mergeAround(first, first + parts.length - 1);
    return parts;
  }

  /** The highest free room of `pages` below the mmap ceiling, as Linux searches top down. */
  room(pages: number, alignment: number): Vpn {
    let ceiling = this.mmapEnd;
    for (let i = this.list.length - 1; i >= 0; i--) {
      const vma = this.list[i]!;
      const candidate = alignDown(ceiling - pages, alignment);
      if (candidate >= vma.end) break;
      ceiling = Math.min(ceiling, vma.start);
    }
    const found = alignDown(ceiling - pages, alignment);
    assert(found > 0, `vmas: no room for ${pages} pages`);
    return found as Vpn;
  }

  /** Takes over the regions of `other`, which may go on changing. */
  copyFrom(other: Vmas): void {
    this.list = [...other.list];
  }

  private firstEndingAfter(page: number): number {
    let low = 0;
    let high = this.list.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.list[middle]!.end > page) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private splitAt(page: number): void {
    const index = this.firstEndingAfter(page);
    const vma = this.list[index];
    if (vma === undefined || vma.start >= page) return;
    const upper = { ...vma, start: page, filePage: vma.filePage + page - vma.start };
    this.list.splice(index, 1, { ...vma, end: page }, upper);
  }

  private mergeAround(first: number, last: number): void {
    for (let i = Math.min(last + 1, this.list.length - 1); i >= Math.max(1, first); i--) {
      const lower = this.list[i - 1]!;
      const upper = this.list[i]!;
      if (canMerge(lower, upper)) this.list.splice(i - 1, 2, { ...lower, end: upper.end });
    }
  }
}

/** May a program in this region store, or fetch, or else load? */
export function allows({ access, executable }: Vma, write: boolean, fetch: boolean): boolean {
  if (access === "none") return false;
  if (fetch) return executable;
  return !write || access === "read-write";
}

function alignDown(page: number, alignment: number): number {
  return page - (page % alignment);
}

function canMerge(lower: Vma, upper: Vma): boolean {
  return (
    lower.end === upper.start &&
    lower.access === upper.access &&
    lower.executable === upper.executable &&
    lower.huge === upper.huge &&
    lower.signals === upper.signals &&
    lower.file === upper.file &&
    (lower.file === null || lower.filePage + lower.end - lower.start === upper.filePage)
  );
}
