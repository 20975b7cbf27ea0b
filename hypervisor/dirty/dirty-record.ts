/**
 * Where a hypervisor keeps what it noticed until somebody asks: the other part of a dirty tracker.
 */
import type { Gfn } from "../../machine/address.ts";
import type { FrameRange } from "./frame-ranges.ts";
import type { Mark } from "./write-detector.ts";

export interface DirtyRecord {
  /** A range joins the log; its pages are clean, or all of them dirty. */
  begin(range: FrameRange, pages: "clean" | "dirty"): void;
  /** Forgets everything. */
  end(): void;
  /** Forgets what it has of the range. */
  forget(range: FrameRange): void;
  readonly mark: Mark;
  /** Is a write to `gfn` in the record and `gfn` not armed since? Then its next write need not be seen. */
  isOpen(gfn: Gfn): boolean;
  /** The dirty pages of the range, ascending. */
  report(range: FrameRange): readonly Gfn[];
  /** Takes out of the record what was reported of the range; whoever calls arms those pages. */
  close(range: FrameRange): readonly Gfn[];
  /** May the vCPU enter the guest, or must user space make room first? */
  isFull(vcpuId: number): boolean;
}
