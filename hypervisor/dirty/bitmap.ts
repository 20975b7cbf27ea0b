/**
 * The dirty bitmap: one mark per guest frame, whoever wrote it and however often.
 *
 * Source: KVM API document, KVM_GET_DIRTY_LOG and KVM_CLEAR_DIRTY_LOG.
 */
import type { Gfn } from "../../machine/address.ts";
import type { DirtyRecord } from "./dirty-record.ts";
import { FrameSet } from "./frame-set.ts";

export function dirtyBitmap(guestFrames: number): DirtyRecord {
  const dirty = new FrameSet(guestFrames);
  /** User space clears what it was told of, never what came after. */
  const reported = new FrameSet(guestFrames);

  return {
    begin(range, pages) {
      if (pages === "dirty") dirty.addAll(range);
    },
    end() {
      dirty.clear();
      reported.clear();
    },
    forget(range) {
      dirty.deleteAll(range);
      reported.deleteAll(range);
    },
    mark: (gfn) => dirty.add(gfn),
    isOpen: (gfn) => dirty.has(gfn),
    report(range) {
      const frames = dirty.list(range);
      for (const gfn of frames) reported.add(gfn);
      return frames;
    },
    close(range) {
      const frames: readonly Gfn[] = reported.list(range);
      for (const gfn of frames) {
        reported.delete(gfn);
        dirty.delete(gfn);
      }
      return frames;
    },
    isFull: () => false,
  };
}
