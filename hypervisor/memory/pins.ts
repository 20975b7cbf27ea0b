/**
 * Guest pages that a device may reach: a DMA cannot be tried again, so they stay in their frames and stay writable.
 *
 * Who swaps, merges, shares or takes pages asks here first. Nothing is kept until somebody pins.
 *
 * Source: Linux Documentation/core-api/pin_user_pages.rst (FOLL_PIN, FOLL_LONGTERM); mm/vmscan.c `shrink_folio_list`, mm/ksm.c
 * `write_protect_page`, mm/memory.c `copy_present_page`: each looks whether a page may be pinned.
 */
import type { Gfn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";

export class Pins {
  /** How often each page is pinned. */
  private readonly counts = new Map<number, number>();

  /** Pages that are pinned. */
  get size(): number {
    return this.counts.size;
  }

  has(gfn: number): boolean {
    return this.counts.has(gfn);
  }

  add(gfn: number): void {
    this.counts.set(gfn, (this.counts.get(gfn) ?? 0) + 1);
  }

  remove(gfn: number): void {
    const count = this.counts.get(gfn);
    assert(count !== undefined, () => `host memory: gfn ${gfn} is not pinned`);
    if (count === 1) this.counts.delete(gfn);
    else this.counts.set(gfn, count - 1);
  }

  /** The range without what is pinned. */
  othersIn(
    start: Gfn,
    frames: number,
  ): readonly { readonly start: Gfn; readonly frames: number }[] {
    if (this.counts.size === 0) return [{ start, frames }];
    const runs: { start: Gfn; frames: number }[] = [];
    for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) {
      if (this.has(gfn)) continue;
      const last = runs.at(-1);
      if (last !== undefined && last.start + last.frames === gfn) last.frames += 1;
      else runs.push({ start: gfn, frames: 1 });
    }
    return runs;
  }

  /** What of the range is pinned. */
  in(start: number, frames: number): readonly Gfn[] {
    return [...this.counts.keys()].filter((gfn) => gfn >= start && gfn < start + frames) as Gfn[];
  }
}
