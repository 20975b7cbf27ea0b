/**
 * What the host's acts mean for where guest frames lie, what they hold, and which values may still be used.
 */
import type { HostEvent } from "../../hypervisor/host-events.ts";
import type { Pfn } from "../../machine/address.ts";
import type { EntryHistory } from "./entry-history.ts";
import type { FrameValues } from "./frame-values.ts";
import type { HostFrames } from "./host-frames.ts";

export interface HostChangesParts {
  readonly frames: HostFrames;
  readonly values: FrameValues;
  readonly history: EntryHistory;
  /** Bare metal has no host: what one would do to a guest does not happen. */
  readonly native: boolean;
  /** Does a rule of the hypervisor's forbid what takes the frame away, or stores to it? Then nothing happens. */
  readonly isKept: (gfn: number) => boolean;
  /** Does silicon walk other tables than the guest's own? */
  readonly isShadowed: () => boolean;
}

export class HostChanges {
  private readonly parts: HostChangesParts;

  constructor(parts: HostChangesParts) {
    this.parts = parts;
  }

  /** Before the host acts: what it takes away can still be read. */
  acts(event: HostEvent): void {
    const { frames: pages, values } = this.parts;
    if (event.kind === "write") this.writes(event);
    if (this.parts.native || !("start" in event)) return;
    if (event.kind === "slot-move") this.moves(event);
    const { kind, start, frames } = event;
    const isKept = kind === "slot-delete" && this.keepsAny(start, frames);
    for (let gfn = start as number; gfn < start + frames; gfn++) {
      if (kind === "slot-create") pages.show(gfn);
      if (kind === "slot-delete" && !isKept) {
        // Every shadow goes, so nobody uses what it said.
        values.supersedeFrame(gfn);
        pages.hide(gfn);
      }
      if (kind !== "reclaim" || this.parts.isKept(gfn)) continue;
      values.loseFrame(gfn);
      pages.reclaim(gfn);
    }
  }

  /** The host has stored into the frame. */
  wrote(gfn: number): void {
    const { frames, isKept } = this.parts;
    // Denied: a store that came through all the same shows in the bytes.
    if (isKept(gfn)) return;
    const pfn = frames.pfnOf[gfn] ?? -1;
    // A page that the host took away comes back with whatever was stored, at a place that nobody knows yet.
    if (pfn >= 0) frames.advance(gfn, pfn as Pfn);
  }

  /** The value that stands there now may be used as long as a cache holds it, by a shadow until it hears of another. */
  private writes({ gfn, index }: Extract<HostEvent, { readonly kind: "write" }>): void {
    const { frames, history, isShadowed } = this.parts;
    const { low, high } = frames.entry(gfn, index);
    if (isShadowed()) history.supersedeUnseen({ gfn, index, low, high });
    else history.supersede({ gfn, index, low, high });
  }

  /** Every shadow of either range goes. The pages change places, and only the new one has a slot. */
  private moves({ start, frames, to }: Extract<HostEvent, { readonly kind: "slot-move" }>): void {
    const { values } = this.parts;
    if (this.keepsAny(start, frames) || this.keepsAny(to, frames)) return;
    for (let i = 0; i < frames; i++) {
      for (const gfn of [start + i, to + i]) values.supersedeFrame(gfn);
    }
  }

  private keepsAny(start: number, frames: number): boolean {
    const { isKept } = this.parts;
    return Array.from({ length: frames }, (_, i) => start + i).some(isKept);
  }
}
