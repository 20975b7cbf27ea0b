/**
 * Composes a dirty tracker from a way to notice writes, a record to keep them, and policies.
 *
 * What holds for every combination: a page whose write is in the record is open (its next write may pass
 * unseen), every other page of the log is armed. Arming comes before the caller reads the page, so no write is
 * lost.
 */
import type { Gfn } from "../../machine/address.ts";
import type { DirtyLogOptions } from "./dirty-log-options.ts";
import type { Platform } from "../platform.ts";
import type { EngineOptions } from "../engine.ts";
import { dirtyBitmap } from "./bitmap.ts";
import type { DirtyRecord } from "./dirty-record.ts";
import { type FrameRange, FrameRanges, largeAround } from "./frame-ranges.ts";
import { dirtyRing } from "./ring.ts";
import type { DirtyTracker, LoggedTables } from "./tracker.ts";
import type { Mark, WriteDetector } from "./write-detector.ts";

const defaults: DirtyLogOptions = {
  armedBy: "get",
  split: "first",
  collapse: "next-fault",
  ringEntries: null,
};

/** What the log's rules come from. */
export interface DirtyPolicy {
  readonly options: EngineOptions | undefined;
  readonly own?: Partial<DirtyLogOptions>;
}

/** `own` is the engine's policy; what its user asks for goes before it. */
export function dirtyTracker(
  platform: Platform,
  detector: WriteDetector,
  { options, own = {} }: DirtyPolicy,
): DirtyTracker {
  const policy: DirtyLogOptions = { ...defaults, ...own, ...options?.dirtyLog };
  const ranges = new FrameRanges();
  const record = recordFor(platform, detector, policy);
  let tables: LoggedTables | null = null;

  const mark: Mark = (gfn, vcpu) => {
    if (ranges.covers(gfn)) record.mark(gfn, vcpu);
  };

  /** Arms pages one by one; those that no leaf maps are armed by the rights of the leaf they get. */
  function armAll(logged: LoggedTables, frames: readonly Gfn[]): void {
    for (const gfn of frames) {
      if (logged.isHuge(gfn)) protectOrSplit(logged, largeAround(gfn, 2));
      if (!logged.isHuge(gfn)) detector.arm(logged, gfn);
    }
    if (frames.length > 0) logged.flush();
  }

  function protectOrSplit(logged: LoggedTables, range: FrameRange): void {
    if (policy.split === "first") logged.splitHuge(range);
    else logged.protectHuge(range);
  }

  return {
    start(logged, range) {
      // What silicon noted of the range before it was logged is not this log's: the flush below makes every
      // vCPU exit, and each exit drains.
      if (tables === null) detector.begin(logged);
      else for (const vcpu of logged.vcpus) detector.exited(vcpu, mark);
      tables = logged;
      const isSet = policy.armedBy === "clear-initially-set";
      const pieces = ranges.add(range);
      for (const piece of pieces) {
        record.begin(piece, isSet ? "dirty" : "clean");
        if (isSet) continue;
        protectOrSplit(logged, piece);
        logged.forEachSmall(piece, (gfn) => detector.arm(logged, gfn));
      }
      if (!isSet && pieces.length > 0) logged.flush();
    },
    stop(range) {
      if (tables === null) return;
      const ended = ranges.take(range);
      const isOver = ranges.all().length === 0;
      if (isOver) detector.end(tables);
      for (const piece of ended) {
        tables.collapse(piece, policy.collapse);
        record.forget(piece);
      }
      if (!isOver) return;
      record.end();
      tables = null;
    },
    collect() {
      if (tables === null) return [];
      detector.sync(tables, mark);
      detector.scan(tables, ranges.all(), mark);
      const reports: (readonly Gfn[])[] = [];
      for (const range of ranges.all()) {
        reports.push(record.report(range));
        // A ring is reset by whoever reads it, whatever clears a bitmap.
        if (policy.armedBy === "get" || policy.ringEntries !== null)
          armAll(tables, record.close(range));
      }
      return reports.flat();
    },
    clear(range) {
      if (tables === null) return;
      // A write that silicon noted before must not look like one after (KVM `kvm_clear_dirty_log_protect`).
      detector.sync(tables, mark);
      for (const part of ranges.within(range)) armAll(tables, record.close(part));
    },
    isLogged: (gfn) => ranges.covers(gfn),
    needsSmall: (gfn, level) => ranges.touches(largeAround(gfn, level)),
    mayMapWritable: (gfn) =>
      !detector.armsByProtection || !ranges.covers(gfn) || record.isOpen(gfn),
    wrote: mark,
    unmapping(gfn) {
      if (tables !== null) detector.unmapping(tables, gfn, mark);
    },
    exited: (vcpu) => detector.exited(vcpu, mark),
    entering(vcpu) {
      if (tables === null || !record.isFull(vcpu.id)) return;
      vcpu.ledger.dirtyRingFulls += 1;
      for (const range of ranges.all()) armAll(tables, record.close(range));
    },
  };
}

function recordFor(
  { guestFrames }: Platform,
  { pagesPerExitMax }: WriteDetector,
  { ringEntries }: DirtyLogOptions,
): DirtyRecord {
  if (ringEntries === null) return dirtyBitmap(guestFrames);
  return dirtyRing({ guestFrames, entries: ringEntries, pagesPerExitMax });
}
