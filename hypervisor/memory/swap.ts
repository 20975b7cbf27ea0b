/**
 * The swap device, and who goes there when memory is short.
 *
 * Victims are found by a clock: the hand goes round the guest's frames, a page used since it last came by gets
 * another round. Whether a page was used is the engine's to say: A bits in nested tables or shadow entries;
 * an engine without them says no, and the clock is first in, first out.
 *
 * Model: pages are swapped out between exits, by batches, as kswapd would beside the guest; Linux keeps two
 * lists and several generations instead of one hand. A page comes back to the frame that it left, so that
 * placement stays a function of its number; one that shared its frame leaves it to the others and comes back to
 * one of its own. Bias: both.
 *
 * Source: Linux mm/vmscan.c `shrink_folio_list`, `SWAP_CLUSTER_MAX`; KVM `kvm_age_gfn`.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { FrameContents } from "../../machine/memory.ts";
import type { FrameMemory } from "../platform.ts";
import type { MmuNotifier } from "./notifier.ts";
import type { Pins } from "./pins.ts";
import type { HostTable } from "./table.ts";

/** Pages swapped out at once when there are too many: at most this, and a sixteenth of the limit. */
const batchMax = 32;

/** A page on the device. */
interface Swapped {
  /** The frame kept for it; null when it left one to others. */
  readonly pfn: Pfn | null;
  readonly contents: FrameContents;
}

export interface SwapParts {
  readonly memory: FrameMemory;
  readonly table: HostTable;
  readonly frames: number;
  readonly pins: Pins;
  readonly ledger: Ledger;
  readonly notifier: () => MmuNotifier;
  /** A page is about to leave memory. */
  readonly onLeave: (gfn: Gfn) => void;
  /** A page came back, by whichever way. */
  readonly onReturn: (gfn: Gfn, pfn: Pfn) => void;
}

export class Swap {
  private readonly parts: SwapParts;
  private readonly pages = new Map<Gfn, Swapped>();
  private limit = Infinity;
  /** Pages in memory in the order in which the hand meets them; kept only under a limit. */
  private readonly queue = new Set<Gfn>();
  private resident = 0;

  constructor(parts: SwapParts) {
    this.parts = parts;
  }

  has(gfn: Gfn): boolean {
    return this.pages.has(gfn);
  }

  /** All pages on the device, for a copy of the guest's memory. */
  entries(): Iterable<readonly [Gfn, FrameContents]> {
    return Array.from(this.pages, ([gfn, { contents }]) => [gfn, contents] as const);
  }

  /** The page is on the device from now on: some of a clone's begin there. */
  put(gfn: Gfn, contents: FrameContents): void {
    this.pages.set(gfn, { pfn: null, contents });
  }

  /** Takes the page off the device as it is, for another page number. */
  take(gfn: Gfn): Swapped | undefined {
    const page = this.pages.get(gfn);
    this.pages.delete(gfn);
    return page;
  }

  restore(gfn: Gfn, page: Swapped): void {
    this.pages.set(gfn, page);
  }

  /** Pages came into memory. */
  came(first: Gfn, pages: number): void {
    this.resident += pages;
    for (let i = 0; i < pages; i++) this.enter((first + i) as Gfn);
  }

  /** A page was pinned: the hand does not meet it. */
  pinned(gfn: Gfn): void {
    this.queue.delete(gfn);
  }

  /** Nobody pins the page any more. */
  unpinned(gfn: Gfn): void {
    this.enter(gfn);
  }

  private enter(gfn: Gfn): void {
    if (this.limit !== Infinity && !this.parts.pins.has(gfn)) this.queue.add(gfn);
  }

  /** A page left memory. */
  went(gfn: Gfn): void {
    this.resident -= 1;
    this.queue.delete(gfn);
  }

  /** Forgets the page on the device; true if there was one. */
  drop(gfn: Gfn): boolean {
    const page = this.pages.get(gfn);
    if (page === undefined) return false;
    if (page.pfn !== null) this.parts.memory.release(page.pfn);
    return this.pages.delete(gfn);
  }

  /** Swaps out what is in memory of the range and not pinned. */
  out(start: Gfn, frames: number): void {
    for (const run of this.parts.pins.othersIn(start, frames)) this.outAll(run.start, run.frames);
  }

  private outAll(start: Gfn, frames: number): void {
    const { notifier, table } = this.parts;
    notifier().unmap(start, frames);
    for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) {
      const pfn = table.pfnOf(gfn);
      if (pfn !== -1) this.write(gfn, pfn);
    }
  }

  /** Brings a page back into memory, into a frame of its own. */
  in(gfn: Gfn): Pfn {
    const { memory, table, ledger, onReturn } = this.parts;
    const { pfn: kept, contents } = this.pages.get(gfn)!;
    const pfn = kept ?? memory.allocateSpare();
    this.pages.delete(gfn);
    memory.fill(pfn, contents);
    table.map(gfn, pfn, "read-write");
    this.came(gfn, 1);
    ledger.hostMajorFaults += 1;
    onReturn(gfn, pfn);
    return pfn;
  }

  /** The guest may keep this many pages in memory. */
  setLimit(frames: number): void {
    const { table } = this.parts;
    this.limit = frames;
    this.queue.clear();
    table.forEach(0 as Gfn, this.parts.frames, (gfn, _, pages) => {
      for (let i = 0; i < pages; i++) this.enter((gfn + i) as Gfn);
    });
    this.balance();
  }

  /** Swaps pages out until no more are in memory than the limit allows. */
  balance(): void {
    if (this.resident <= this.limit) return;
    const batch = Math.max(1, Math.min(batchMax, Math.floor(this.limit / 16)));
    let goal = Math.max(batch, this.resident - this.limit);
    let isYoung = false;
    // In the second round nobody is young any more.
    for (let steps = 2 * this.queue.size; steps > 0 && goal > 0; steps--) {
      const [gfn] = this.queue;
      if (gfn === undefined) break;
      if (this.parts.notifier().age(gfn)) {
        this.queue.delete(gfn);
        this.queue.add(gfn);
        isYoung = true;
      } else {
        this.out(gfn, 1);
        goal -= 1;
      }
    }
    // Model: one flush for all pages whose A bit was cleared, where KVM flushes for each. Bias: both.
    if (isYoung) this.parts.notifier().flush();
  }

  private write(gfn: Gfn, pfn: Pfn): void {
    const { memory, table, ledger, onLeave } = this.parts;
    onLeave(gfn);
    table.unmap(gfn);
    if (memory.isShared(pfn)) {
      this.pages.set(gfn, { pfn: null, contents: memory.contentsOf(pfn) });
      memory.release(pfn);
    } else {
      this.pages.set(gfn, { pfn, contents: memory.vacate(pfn) });
    }
    this.went(gfn);
    ledger.hostSwapOuts += 1;
  }
}
