/**
 * Collects what a change of page tables leaves to do: translations to flush, then frames to free.
 *
 * The order is the point. A frame must not find a new owner while a stale translation still leads to it,
 * and a table must not while a walk cache still points to it, so nothing is freed before the flush.
 *
 * Source: Linux include/asm-generic/tlb.h (mmu_gather).
 */
import type { Vpn } from "../machine/address.ts";
import { type Contexts, pageFlushesMax } from "./contexts.ts";
import type { TableFrames } from "./table-frames.ts";

/** Pages `from` until before `to`, every `stride`-th: 512 while only 2 MiB entries changed. */
const nothing = { from: Infinity, to: 0, stride: 512 };

export class Gather {
  private readonly contexts: Contexts;
  private readonly frames: Pick<TableFrames, "release">;
  private readonly released: number[] = [];
  private range = { ...nothing };

  constructor(contexts: Contexts, frames: Pick<TableFrames, "release">) {
    this.contexts = contexts;
    this.frames = frames;
  }

  /** An entry for `pages` pages at `vpn` changed. */
  changed(vpn: Vpn, pages: number): void {
    const { range } = this;
    range.from = Math.min(range.from, vpn);
    range.to = Math.max(range.to, vpn + pages);
    if (pages < range.stride) range.stride = pages;
  }

  /** `frame` loses a reference once the flush is done. */
  release(frame: number): void {
    this.released.push(frame);
  }

  /** Page by page up to the ceiling, at one blow above it. */
  flush(): void {
    const { from, to, stride } = this.range;
    if (from < to) {
      if ((to - from) / stride > pageFlushesMax) this.contexts.flushAll();
      else this.contexts.flushPages(this.range);
    }
    this.free();
  }

  /** The whole space forks: one full flush whatever changed. */
  flushSpace(): void {
    this.contexts.flushAll();
    this.free();
  }

  /** The loaded space dies. */
  forgetSpace(): void {
    this.contexts.forget();
    this.free();
  }

  /** For a space that is not loaded and never will be again: its PCID is not reused without a flush. */
  free(): void {
    for (const frame of this.released) this.frames.release(frame);
    this.released.length = 0;
    this.range = { ...nothing };
  }
}
