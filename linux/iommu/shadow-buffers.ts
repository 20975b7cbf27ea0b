/**
 * Shadow buffers: a pool that is mapped for ever, and data is copied in and out.
 *
 * Buys: nothing is mapped, unmapped or invalidated per DMA, and a device reaches what it was given to the byte. Pays: a copy of
 * each page, and the pool's memory.
 *
 * Source: Markuze 2016 (True IOMMU Protection from DMA Attacks, ASPLOS).
 */
import { assert } from "../../machine/assert.ts";
import type { FrameRun } from "./core.ts";
import type { DmaApi, DmaObserver, DmaSegment } from "./dma.ts";
import type { DmaRights } from "./entry-formats.ts";

/** Frames of the pool, in runs of these sizes. */
export interface BufferPool {
  take(pages: number): FrameRun;
  copyPage(to: number, from: number): void;
}

interface Buffer {
  readonly run: FrameRun;
  readonly segments: readonly DmaSegment[];
}

interface Use {
  readonly buffer: Buffer;
  readonly runs: readonly FrameRun[];
  readonly rights: DmaRights;
}

export class ShadowBufferDma implements DmaApi {
  pagesCopied = 0;
  private readonly inner: DmaApi;
  private readonly pool: BufferPool;
  /** By right and size. */
  private readonly free = new Map<string, Buffer[]>();
  private readonly live = new Map<number, Use>();

  constructor(inner: DmaApi, pool: BufferPool) {
    this.inner = inner;
    this.pool = pool;
  }

  /** Of the pool: its mappings are what a device has. */
  get observer(): DmaObserver {
    return this.inner.observer;
  }

  set observer(observer: DmaObserver) {
    this.inner.observer = observer;
  }

  map(runs: readonly FrameRun[], rights: DmaRights): readonly DmaSegment[] {
    const pages = runs.reduce((sum, run) => sum + run.pages, 0);
    const key = `${rights} ${pages}`;
    const buffer = this.free.get(key)?.pop() ?? this.create(pages, rights);
    // What the device only writes is not read before.
    if (rights !== "write") this.copy(buffer.run, runs, "in");
    this.live.set(buffer.run.frame, { buffer, runs, rights });
    return buffer.segments;
  }

  unmap(segments: readonly DmaSegment[]): void {
    const use = [...this.live.values()].find(({ buffer }) => buffer.segments === segments);
    assert(use !== undefined, "shadow buffers: these segments are not in use");
    const { buffer, runs, rights } = use;
    if (rights !== "read") this.copy(buffer.run, runs, "out");
    this.live.delete(buffer.run.frame);
    const key = `${rights} ${buffer.run.pages}`;
    const free = this.free.get(key);
    if (free === undefined) this.free.set(key, [buffer]);
    else free.push(buffer);
  }

  private create(pages: number, rights: DmaRights): Buffer {
    const run = this.pool.take(pages);
    return { run, segments: this.inner.map([run], rights) };
  }

  private copy(buffer: FrameRun, runs: readonly FrameRun[], way: "in" | "out"): void {
    let at = buffer.frame;
    for (const { frame, pages } of runs) {
      for (let i = 0; i < pages; i++, at++) {
        const [to, from] = way === "in" ? [at, frame + i] : [frame + i, at];
        this.pool.copyPage(to, from);
        this.pagesCopied += 1;
      }
    }
  }
}
