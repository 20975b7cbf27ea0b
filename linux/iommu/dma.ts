/**
 * Linux's DMA API over an IOMMU: a range of IO virtual pages per mapping, and when an unmapped one is invalidated.
 *
 * Strict: before unmap returns. Lazy: entries are cleared at once, the IOTLB is flushed for all when 255 ranges wait or 10 ms
 * after the first; until then a device may still reach what it has a translation of, and the range is not used again.
 * Under caching mode Linux is strict whatever was asked.
 *
 * Model: memory that a device only writes is mapped readable too. Bias: none in counts; a device that reads it is not
 * refused.
 *
 * Source: Linux 6.1 drivers/iommu/dma-iommu.c `__iommu_dma_map`, `__iommu_dma_unmap`, `queue_iova`, `fq_flush_timeout`,
 * IOVA_FQ_SIZE, IOVA_FQ_TIMEOUT.
 */
import { assert } from "../../machine/assert.ts";
import type { DmaClock } from "./clock.ts";
import {
  type FrameRun,
  Gather,
  type IommuDomain,
  iommuMap,
  iommuUnmap,
  iommuUnmapFast,
} from "./core.ts";
import type { IovaAllocator } from "./iova.ts";
import type { DmaRights } from "./entry-formats.ts";

/** Ranges that wait for one flush, and how long the first may wait, in microseconds. */
const queueMax = 255;
const queueTimeout = 10_000;

/** What is told when a range becomes reachable and when nobody can reach it any more. */
export interface DmaObserver {
  mapped(page: number, runs: readonly FrameRun[], rights: DmaRights): void;
  /** The driver has given [page, page + pages) up; caches may still have it. */
  cleared(page: number, pages: number): void;
  /** No cache has it now. */
  forgotten(page: number, pages: number): void;
}

/** What a device is told to reach: IO pages that follow each other. */
export interface DmaSegment {
  readonly page: number;
  readonly pages: number;
}

/** What a driver of a device calls. */
export interface DmaApi {
  observer: DmaObserver;
  /** IO pages for these runs of frames: one segment behind an IOMMU, whatever the runs; without, one per run. */
  map(runs: readonly FrameRun[], rights: DmaRights): readonly DmaSegment[];
  unmap(segments: readonly DmaSegment[]): void;
}

export const nobody: DmaObserver = {
  mapped: () => undefined,
  cleared: () => undefined,
  forgotten: () => undefined,
};

interface Waiting {
  readonly page: number;
  readonly pages: number;
  readonly gather: Gather;
}

export interface DmaOptions {
  readonly domain: IommuDomain;
  readonly allocator: IovaAllocator;
  readonly clock: DmaClock;
  readonly flush: "strict" | "lazy";
}

export class LinuxDma implements DmaApi {
  observer: DmaObserver = nobody;
  /** Flushes of everything that waited. */
  queueFlushes = 0;
  private readonly options: DmaOptions;
  private readonly live = new Map<number, number>();
  private waiting: Waiting[] = [];
  private isTimerOn = false;

  constructor(options: DmaOptions) {
    this.options = options;
  }

  map(runs: readonly FrameRun[], rights: DmaRights): readonly DmaSegment[] {
    const { allocator, domain } = this.options;
    const pages = runs.reduce((sum, run) => sum + run.pages, 0);
    const page = allocator.allocate(pages);
    this.live.set(page, pages);
    iommuMap(domain, page, runs, rights === "read" ? "read" : "read-write");
    this.observer.mapped(page, runs, rights);
    return [{ page, pages }];
  }

  unmap(segments: readonly DmaSegment[]): void {
    for (const { page } of segments) this.unmapRange(page);
  }

  private unmapRange(page: number): void {
    const { allocator, domain, flush } = this.options;
    const pages = this.live.get(page);
    assert(pages !== undefined, () => `dma: page ${page} is not mapped`);
    this.live.delete(page);
    this.observer.cleared(page, pages);
    if (flush === "strict") {
      iommuUnmap(domain, page, pages);
      this.observer.forgotten(page, pages);
      allocator.free(page);
    } else {
      this.queue(page, pages);
    }
  }

  private queue(page: number, pages: number): void {
    const { domain, clock } = this.options;
    // Nothing is gathered but tables: the flush is of everything.
    const gather = new Gather(null);
    iommuUnmapFast(domain, page, pages, gather);
    if (this.waiting.length === queueMax) this.flushQueue();
    this.waiting.push({ page, pages, gather });
    if (this.isTimerOn) return;
    this.isTimerOn = true;
    clock.after(queueTimeout, () => {
      this.isTimerOn = false;
      this.flushQueue();
    });
  }

  private flushQueue(): void {
    const { domain, allocator } = this.options;
    this.queueFlushes += 1;
    domain.flushAll();
    const { waiting } = this;
    this.waiting = [];
    for (const { page, pages, gather } of waiting) {
      domain.release(gather.tables);
      this.observer.forgotten(page, pages);
      allocator.free(page);
    }
  }
}
