/**
 * Linux's IOMMU core: mapping and unmapping ranges in the largest pages that fit, and gathering what to invalidate.
 *
 * Source: Linux 6.1 drivers/iommu/iommu.c `iommu_pgsize`, `__iommu_map`, `__iommu_map_sg`, `__iommu_unmap`,
 * include/linux/iommu.h `iommu_iotlb_gather_add_page`; drivers/iommu/amd/iommu.c `amd_iommu_iotlb_gather_add_page`.
 */
import type { DmaRights } from "./entry-formats.ts";
import type { DmaMapping } from "./io-table.ts";

/** What a driver offers for one domain. Page numbers and counts are of 4 KiB. */
export interface IommuDomain {
  /** Sizes of pages that an entry or a request can have, in 4 KiB, from the smallest up. */
  readonly sizes: readonly number[];
  map(mapping: DmaMapping): void;
  /** All of a call's mappings are made. */
  syncMap(page: number, pages: number): void;
  /** Clears the range's entries; how many pages went, which may be more when it begins in a large one. */
  unmap(page: number, pages: number, gather: Gather): number;
  /** Invalidates what was gathered and frees its tables. */
  sync(gather: Gather): void;
  /** Invalidates all of the domain: the flush queue's way. */
  flushAll(): void;
  /** Frees tables that no cache knows any more. */
  release(tables: readonly number[]): void;
  translate(page: number): number | null;
}

/** A range of pages that are unmapped and not yet invalidated. */
export class Gather {
  start = 0;
  end = 0;
  /** Pages of the last unmap call; another size is synced by itself. */
  private size = 0;
  tables: number[] = [];
  /** Null: nothing is gathered, a flush queue will invalidate everything. */
  private readonly domain: IommuDomain | null;

  constructor(domain: IommuDomain | null) {
    this.domain = domain;
  }

  add(page: number, pages: number): void {
    if (this.domain === null) return;
    if (this.size !== 0 && (this.size !== pages || this.isApart(page, pages))) this.sync();
    this.extend(page, pages);
  }

  /** The same for who can invalidate any range at once, but syncs what lies apart by itself if `syncsApart`. */
  addAnySize(page: number, pages: number, syncsApart: boolean): void {
    if (this.domain === null) return;
    if (syncsApart && this.size !== 0 && this.isApart(page, pages)) this.sync();
    this.extend(page, pages);
  }

  private isApart(page: number, pages: number): boolean {
    return page > this.end || page + pages < this.start;
  }

  private extend(page: number, pages: number): void {
    this.start = this.size === 0 ? page : Math.min(this.start, page);
    this.end = this.size === 0 ? page + pages : Math.max(this.end, page + pages);
    this.size = pages;
  }

  /** Something is unmapped that one sync settles, whatever its ranges. */
  mark(): void {
    this.size = -1;
  }

  sync(): void {
    if (this.domain === null || this.size === 0) return;
    this.domain.sync(this);
    this.size = 0;
    this.tables = [];
  }
}

/** A run of frames to map. */
export interface FrameRun {
  readonly frame: number;
  readonly pages: number;
}

/** Pages that one call may do: as many of the largest size that fits as there are before a larger one fits. */
function pagesOfCall(
  { sizes }: IommuDomain,
  { page, frame, pages }: { page: number; frame: number; pages: number },
): number {
  const size = sizes.findLast((one) => one <= pages && page % one === 0 && frame % one === 0) ?? 1;
  const next = sizes.find((one) => one > size);
  let covered = pages;
  // A larger page further on ends the call there, if both addresses come to its boundary together.
  if (next !== undefined && (page - frame) % next === 0) {
    const offset = next - (page % next);
    if (offset + next <= pages) covered = offset;
  }
  return covered - (covered % size);
}

function mapRun(domain: IommuDomain, page: number, run: FrameRun, rights: DmaRights): void {
  for (let done = 0; done < run.pages;) {
    const range = { page: page + done, frame: run.frame + done, pages: run.pages - done };
    const pages = pagesOfCall(domain, range);
    domain.map({ ...range, pages, rights });
    done += pages;
  }
}

/** `iommu_map`, and `iommu_map_sg` of several runs: one range of IO virtual pages. */
export function iommuMap(
  domain: IommuDomain,
  page: number,
  runs: readonly FrameRun[],
  rights: DmaRights,
): void {
  let pages = 0;
  for (const run of joined(runs)) {
    mapRun(domain, page + pages, run, rights);
    pages += run.pages;
  }
  domain.syncMap(page, pages);
}

/** Runs that follow each other in memory are one. */
function joined(runs: readonly FrameRun[]): FrameRun[] {
  const all: FrameRun[] = [];
  for (const run of runs) {
    const last = all.at(-1);
    if (last !== undefined && last.frame + last.pages === run.frame) {
      all[all.length - 1] = { frame: last.frame, pages: last.pages + run.pages };
    } else {
      all.push(run);
    }
  }
  return all;
}

/** `iommu_unmap_fast`: what is invalidated is left to the gather. */
export function iommuUnmapFast(
  domain: IommuDomain,
  page: number,
  pages: number,
  gather: Gather,
): number {
  let unmapped = 0;
  while (unmapped < pages) {
    const at = page + unmapped;
    const range = { page: at, frame: at, pages: pages - unmapped };
    unmapped += domain.unmap(at, pagesOfCall(domain, range), gather);
  }
  return unmapped;
}

/** `iommu_unmap`: when it returns, no cache knows the range. */
export function iommuUnmap(domain: IommuDomain, page: number, pages: number): void {
  const gather = new Gather(domain);
  iommuUnmapFast(domain, page, pages, gather);
  gather.sync();
}
