/**
 * The dirty log of a VM: which ranges are logged, and which frames were written since the last get.
 *
 * Source: KVM_GET_DIRTY_LOG in the KVM API document.
 */
import type { Gfn } from "../../machine/address.ts";

export interface FrameRange {
  readonly start: Gfn;
  readonly frames: number;
}

export class DirtyLog {
  private ranges: FrameRange[] = [];
  private dirty = new Set<Gfn>();

  on(range: FrameRange): void {
    this.ranges.push(range);
  }

  /** Ends all logging; returns the ranges that were logged. */
  off(): readonly FrameRange[] {
    const { ranges } = this;
    this.ranges = [];
    this.dirty = new Set();
    return ranges;
  }

  covers(gfn: Gfn): boolean {
    for (const { start, frames } of this.ranges) {
      if (gfn >= start && gfn < start + frames) return true;
    }
    return false;
  }

  /** Notes a write, if the frame is logged. */
  mark(gfn: Gfn): void {
    if (this.ranges.length > 0 && this.covers(gfn)) this.dirty.add(gfn);
  }

  /** The frames written since the last call, ascending. */
  take(): Gfn[] {
    const frames = [...this.dirty].sort((a, b) => a - b);
    this.dirty = new Set();
    return frames;
  }
}
