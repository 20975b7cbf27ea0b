/**
 * The dirty log of a VM as KVM's own engines keep it: ranges that are logged, frames written since the last get.
 *
 * Source: KVM_GET_DIRTY_LOG in the KVM API document.
 */
import type { Gfn } from "../../machine/address.ts";
import { type FrameRange, FrameRanges, largeAround } from "../../hypervisor/dirty/frame-ranges.ts";
import { FrameSet } from "../../hypervisor/dirty/frame-set.ts";

export class DirtyLog {
  private readonly ranges = new FrameRanges();
  private readonly dirty: FrameSet;

  constructor(guestFrames: number) {
    this.dirty = new FrameSet(guestFrames);
  }

  on(range: FrameRange): void {
    this.ranges.add(range);
  }

  /** Ends all logging; returns the ranges that were logged. */
  off(): readonly FrameRange[] {
    this.dirty.clear();
    return this.ranges.take();
  }

  covers(gfn: Gfn): boolean {
    return this.ranges.covers(gfn);
  }

  /** Is any frame of the log in the page around `gfn` that a leaf of `level` would map? Then leaves are smaller. */
  touches(gfn: Gfn, level: number): boolean {
    return this.ranges.touches(largeAround(gfn, level));
  }

  /** Notes a write, if the frame is logged. */
  mark(gfn: Gfn): void {
    if (this.covers(gfn)) this.dirty.add(gfn);
  }

  /** The frames written since the last call, ascending. */
  take(): Gfn[] {
    const frames = this.ranges.all().flatMap((range) => this.dirty.list(range));
    this.dirty.clear();
    return frames;
  }
}
