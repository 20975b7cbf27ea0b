/**
 * Same-page merging: pages of equal contents share one frame, read-only, until one of them is written.
 *
 * A page must have stood unchanged from one pass to the next before it is merged, or pages that change all the
 * time would be merged and broken for ever.
 *
 * Model: what the guest's data stores write is not known, so two pages are equal when they have the same bytes,
 * as far as bytes are known, and the same version (`PhysicalMemory.stamps`): zeroed and not written since, or
 * copies of each other, or written by the same store of the same program. Versions must be kept while the
 * guest runs (`check/oracle/stamp-stores.ts`, or the oracle). Files hold zeros here, so their pages merge with
 * zeroed ones. The scanner has a processor to itself. Bias: both.
 *
 * Source: Linux mm/ksm.c `cmp_and_merge_page`, `write_protect_page`, `replace_page`.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { FrameMemory } from "../platform.ts";
import type { Ledger } from "../../machine/counters.ts";

/** Guest memory as the merger sees it. */
export interface Mergeable {
  /** Every page in memory that no device may reach, in order. */
  forEachBacked(visit: (gfn: Gfn, pfn: Pfn) => void): void;
  /** Nobody may store to the page's frame any more. */
  protect(gfn: Gfn): void;
  /** The page moves to a frame of the same contents that somebody else uses. */
  join(gfn: Gfn, pfn: Pfn): void;
  /** The same, and the page loses every right, also if it is in that frame already: its next use, whatever it is, copies. */
  close(gfn: Gfn, pfn: Pfn): void;
  /** Where the host's own work is counted. */
  readonly counted: Ledger;
}

export interface PageMerger {
  /** One pass over these guests, which live in the same memory. Returns how many pages were merged. */
  pass(guests: readonly Mergeable[]): number;
}

/**
 * When a merged page gets a frame of its own again. On a write, as in Linux: the exit and the copy tell whoever writes that
 * somebody else held the same. On any use: all that stood still loses its rights, merged or not, and is copied at its next
 * use, merged or not, so that nobody can tell.
 *
 * Model: copies come from the host's free frames in order, not at random. Bias: none, for which frame it is costs nothing.
 *
 * Source: Oliverio et al., "Secure Page Fusion with VUsion", SOSP 2017, for the second.
 */
export type Unmerging = "on-write" | "on-any-use";

export function createMerger(memory: FrameMemory, unmerging: Unmerging = "on-write"): PageMerger {
  /** The version of each page at the last pass, by guest. */
  const seen = new WeakMap<Mergeable, Map<Gfn, number>>();

  /** Frames that others may join, by version. Made anew at each pass: contents change in between. */
  function find(stable: ReadonlyMap<number, readonly Pfn[]>, pfn: Pfn): Pfn | undefined {
    const candidates = stable.get(memory.stampOf(pfn)) ?? [];
    return candidates.find((other) => other === pfn || memory.hasSameBytes(other, pfn));
  }

  function passOver(guest: Mergeable, stable: Map<number, Pfn[]>): number {
    const before = seen.get(guest) ?? new Map<Gfn, number>();
    const now = new Map<Gfn, number>();
    const candidates: (readonly [Gfn, Pfn])[] = [];
    guest.forEachBacked((gfn, pfn) => {
      const stamp = memory.stampOf(pfn);
      now.set(gfn, stamp);
      if (before.get(gfn) === stamp) candidates.push([gfn, pfn]);
    });
    seen.set(guest, now);
    guest.counted.framesScanned += now.size;
    let merged = 0;
    for (const [gfn, pfn] of candidates) {
      const frame = find(stable, pfn);
      if (unmerging === "on-any-use") guest.close(gfn, frame ?? pfn);
      if (frame === undefined) {
        const same = stable.get(memory.stampOf(pfn));
        if (same === undefined) stable.set(memory.stampOf(pfn), [pfn]);
        else same.push(pfn);
        owners.set(pfn, { guest, gfn });
      } else if (frame !== pfn) {
        if (unmerging === "on-write") {
          const owner = owners.get(frame)!;
          owner.guest.protect(owner.gfn);
          guest.join(gfn, frame);
        }
        merged += 1;
      }
    }
    guest.counted.framesMerged += merged;
    return merged;
  }

  const owners = new Map<Pfn, { readonly guest: Mergeable; readonly gfn: Gfn }>();
  return {
    pass(guests) {
      owners.clear();
      const stable = new Map<number, Pfn[]>();
      return guests.reduce((merged, guest) => merged + passOver(guest, stable), 0);
    },
  };
}
