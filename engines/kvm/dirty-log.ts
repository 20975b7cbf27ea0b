/**
 * The dirty log of a VM as KVM's own engines keep it: ranges that are logged, frames written since the last get.
 *
 * No `DirtyTracker` (`hypervisor/dirty/`), which arms and reads tables itself: here each engine arms what a get or a clear
 * names, by its own rules, and slots end one by one.
 *
 * Source: KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG and KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 in the KVM API document; rules P8
 * to P10 of results/groundtruth/intel.
 */
import type { Gfn } from "../../machine/address.ts";
import type { DirtyLogOptions } from "../../hypervisor/dirty/dirty-log-options.ts";
import { type FrameRange, FrameRanges, largeAround } from "../../hypervisor/dirty/frame-ranges.ts";
import { FrameSet } from "../../hypervisor/dirty/frame-set.ts";

export class DirtyLog {
  /** All pages count as written when logging starts: nothing is armed before the first clear. */
  readonly isInitiallySet: boolean;
  private readonly isManual: boolean;
  private readonly ranges = new FrameRanges();
  private readonly dirty: FrameSet;
  /** What a get told user space and no clear has taken back; only with manual protect. */
  private readonly reported: FrameSet;

  constructor(guestFrames: number, armedBy: DirtyLogOptions["armedBy"] = "get") {
    this.isManual = armedBy !== "get";
    this.isInitiallySet = armedBy === "clear-initially-set";
    this.dirty = new FrameSet(guestFrames);
    this.reported = new FrameSet(this.isManual ? guestFrames : 0);
  }

  on(range: FrameRange): void {
    const pieces = this.ranges.add(range);
    if (this.isInitiallySet) for (const piece of pieces) this.dirty.addAll(piece);
  }

  /** Ends logging, of the slots in the range or of all; returns what was logged. */
  off(range?: FrameRange): readonly FrameRange[] {
    const ended = this.ranges.take(range);
    for (const piece of ended) {
      this.dirty.deleteAll(piece);
      if (this.isManual) this.reported.deleteAll(piece);
    }
    return ended;
  }

  /** Is anything logged? */
  get isOn(): boolean {
    return this.ranges.all().length > 0;
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

  /** What a get reports, ascending, and which of it the get arms: all, or with manual protect nothing. */
  get(): { readonly reported: readonly Gfn[]; readonly armed: readonly Gfn[] } {
    const frames = this.ranges.all().flatMap((range) => this.dirty.list(range));
    if (!this.isManual) {
      this.dirty.clear();
      return { reported: frames, armed: frames };
    }
    for (const gfn of frames) this.reported.add(gfn);
    return { reported: frames, armed: [] };
  }

  /** A clear of the range: the frames that it arms, ascending. */
  clear(range: FrameRange): readonly Gfn[] {
    if (!this.isManual) return [];
    const frames = this.ranges.within(range).flatMap((part) => this.reported.list(part));
    for (const gfn of frames) {
      this.reported.delete(gfn);
      this.dirty.delete(gfn);
    }
    return frames;
  }
}
