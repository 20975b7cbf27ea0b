/**
 * The guest's memory as it was, kept by copy-on-write: one snapshot at a time.
 */
import type { Gfn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { Platform } from "../platform.ts";
import type { MmuNotifier } from "./notifier.ts";
import type { Pins } from "./pins.ts";
import { framesOf, releasePages, type ShareParts, sharePages, type SharedPages } from "./shared.ts";
import type { Swap } from "./swap.ts";

export interface SnapshotParts extends ShareParts {
  readonly pins: Pins;
  readonly swap: Swap;
  readonly ledger: Ledger;
  readonly notifier: () => MmuNotifier;
  readonly platform: Pick<Platform, "hostObserver">;
}

export class Snapshots {
  private readonly parts: SnapshotParts;
  private kept: SharedPages | null = null;

  constructor(parts: SnapshotParts) {
    this.parts = parts;
  }

  /** The one before goes. */
  take(start: Gfn, frames: number): void {
    this.drop();
    const pages = this.hold(start, frames);
    this.kept = { pages, swapped: [...this.parts.swap.entries()], lost: [], holes: [] };
    this.parts.platform.hostObserver?.snapshotTaken(framesOf(this.kept));
  }

  drop(): void {
    const { platform, memory } = this.parts;
    if (this.kept === null) return;
    platform.hostObserver?.snapshotDropped();
    releasePages(memory, this.kept);
    this.kept = null;
  }

  /** A second hold on every page of the range, whoever it is for. */
  hold(start: Gfn, frames: number): SharedPages["pages"] {
    const { notifier, table, ledger } = this.parts;
    notifier().unmap(start, frames);
    const pages = sharePages(this.parts, start, frames);
    for (const { gfn, pfn, pages: count } of pages) {
      // A copy that was made at once, of what is pinned, is no share.
      if (pfn === table.pfnOf(gfn)) ledger.framesShared += count;
    }
    return pages;
  }
}
