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

export class Gather {
  private readonly contexts: Contexts;
  private readonly frames: Pick<TableFrames, "release">;
  private readonly released: number[] = [];
  private from = Infinity;
  private to = 0;
  /** Pages between two flushes: 512 while only 2 MiB entries changed. */
  private stride = 512;

  constructor(contexts: Contexts, frames: Pick<TableFrames, "release">) {
    this.contexts = contexts;
    this.frames = frames;
  }

  /** An entry for `pages` pages at `vpn` changed. */
  changed(vpn: Vpn, pages: number): void {
    this.from = Math.min(this.from, vpn);
    this.to = Math.max(this.to, vpn + pages);
    if (pages < this.stride) this.stride = pages;
  }

  /** `frame` loses a reference once the flush is done. */
  release(frame: number): void {
    this.released.push(frame);
  }

  /** Page by page up to the ceiling, at one blow above it. */
  flush(): void {
    if (this.from < this.to) {
      if ((this.to - this.from) / this.stride > pageFlushesMax) {
        this.contexts.flushAll();
      } else {
        for (let vpn = this.from; vpn < this.to; vpn += this.stride) {
          this.contexts.flushPage(vpn as Vpn);
        }
      }
    }
    this.free();
  }

  /** The whole space dies or forks: one full flush whatever changed. */
  flushSpace(): void {
    this.contexts.flushAll();
    this.free();
  }

  /** For a space that is not loaded and never will be again: its PCID is not reused without a flush. */
  free(): void {
    for (const frame of this.released) this.frames.release(frame);
    this.released.length = 0;
    this.from = Infinity;
    this.to = 0;
    this.stride = 512;
  }
}
