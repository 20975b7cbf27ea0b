/**
 * Linux's IOMMU core: mapping and unmapping ranges in the largest pages that fit, and gathering what to invalidate.
 *
 * Source: Linux 6.1 drivers/iommu/iommu.c `iommu_pgsize`, `__iommu_map`, `__iommu_map_sg`, `__iommu_unmap`,
 * include/linux/iommu.h `iommu_iotlb_gather_add_page`.
 */
import { pagesPerEntry } from "../../machine/address.ts";
import type { DmaMapping, DmaRights } from "./second-level-table.ts";

/** What a driver offers for one domain. Page numbers and counts are of 4 KiB. */
export interface IommuDomain {
  /** Levels of leaves beyond 4 KiB. */
  readonly largeLevels: readonly number[];
  map(mapping: DmaMapping): void;
  /** All of a call's mappings are made. */
  syncMap(page: number, pages: number): void;
  /** Clears the range's entries; how many pages went, which may be more when it begins in a large one. */
  unmap(page: number, pages: number, gather: Gather): number;
  /** Invalidates what was gathered and frees its tables. */
  sync(gather: Gather): void;
  /** Invalidates all of the domain: the flush queue's way. */
  flushAll(): void;
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
    const disjoint = this.size !== 0 && (page > this.end || page + pages < this.start);
    if (this.size !== 0 && (this.size !== pages || disjoint)) this.sync();
    this.start = this.size === 0 ? page : Math.min(this.start, page);
    this.end = this.size === 0 ? page + pages : Math.max(this.end, page + pages);
    this.size = pages;
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

/** Level of the pages that a range begins with, and how many of them may be done in one call. */
function pageLevel(
  { largeLevels }: IommuDomain,
  page: number,
  frame: number,
  pages: number,
): { level: number; count: number } {
  const levels = [1, ...largeLevels];
  const fits = (level: number) => {
    const span = pagesPerEntry(level);
    return span <= pages && page % span === 0 && frame % span === 0;
  };
  const level = levels.findLast(fits) ?? 1;
  const next = levels.find((one) => one > level);
  let covered = pages;
  if (next !== undefined) {
    const span = pagesPerEntry(next);
    // A larger page further on ends the call there, if both addresses come to its boundary together.
    if ((page - frame) % span === 0) {
      const offset = span - (page % span);
      if (offset + span <= pages) covered = offset;
    }
  }
  return { level, count: Math.floor(covered / pagesPerEntry(level)) };
}

function mapRun(domain: IommuDomain, page: number, run: FrameRun, rights: DmaRights): void {
  for (let done = 0; done < run.pages;) {
    const frame = run.frame + done;
    const { level, count } = pageLevel(domain, page + done, frame, run.pages - done);
    const pages = count * pagesPerEntry(level);
    domain.map({ page: page + done, frame, pages, rights });
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
    const { level, count } = pageLevel(domain, at, at, pages - unmapped);
    unmapped += domain.unmap(at, count * pagesPerEntry(level), gather);
  }
  return unmapped;
}

/** `iommu_unmap`: when it returns, no cache knows the range. */
export function iommuUnmap(domain: IommuDomain, page: number, pages: number): void {
  const gather = new Gather(domain);
  iommuUnmapFast(domain, page, pages, gather);
  gather.sync();
}
