/**
 * The host's memory of one guest: where each guest page lies, which are pinned for a device, and what the host may take.
 *
 * A page that a device may reach must stay where it is: DMA cannot be tried again. The others may move (swapping, merging,
 * compaction).
 */
import type { Gfn, Pfn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import type { PhysicalMemory } from "../machine/memory.ts";
import type { Placement } from "../machine/placement.ts";
import type { PinnedMemory } from "../linux/iommu/vfio-type1.ts";

/** The pages of one guest as whoever assigns devices to it sees them. */
export interface GuestPages extends PinnedMemory {
  readonly frames: number;
  place(gfn: number): Pfn;
  isPinned(gfn: number): boolean;
  /** Guest pages that are pinned now, and at most since `forgetPeak`. */
  readonly pinned: number;
  readonly pinnedPeak: number;
  /** What was at most pinned counts from here. */
  forgetPeak(): void;
  /** The host takes the page's frame; its contents come back, in another one or later. False: a device may reach it. */
  move(gfn: number): boolean;
}

export class HostPages implements GuestPages {
  readonly frames: number;
  pinned = 0;
  pinnedPeak = 0;
  private readonly memory: PhysicalMemory;
  private readonly places: Int32Array;
  private readonly pins: Int32Array;

  constructor(memory: PhysicalMemory, placement: Placement) {
    this.memory = memory;
    this.frames = memory.guestFrames;
    this.places = Int32Array.from({ length: this.frames }, (_, gfn) => placement(gfn as Gfn));
    this.pins = new Int32Array(this.frames);
  }

  place(gfn: number): Pfn {
    const pfn = this.places[gfn];
    assert(pfn !== undefined, () => `host: the guest has no frame ${gfn}`);
    return pfn as Pfn;
  }

  pin(gfn: number): number {
    const pins = (this.pins[gfn] ?? 0) + 1;
    this.pins[gfn] = pins;
    if (pins === 1) this.pinned += 1;
    if (this.pinned > this.pinnedPeak) this.pinnedPeak = this.pinned;
    return this.place(gfn);
  }

  unpin(gfn: number): void {
    const pins = (this.pins[gfn] ?? 0) - 1;
    assert(pins >= 0, () => `host: frame ${gfn} is not pinned`);
    this.pins[gfn] = pins;
    if (pins === 0) this.pinned -= 1;
  }

  isPinned(gfn: number): boolean {
    return (this.pins[gfn] ?? 0) > 0;
  }

  forgetPeak(): void {
    this.pinnedPeak = this.pinned;
  }

  move(gfn: number): boolean {
    if (this.isPinned(gfn)) return false;
    const from = this.place(gfn);
    const contents = this.memory.vacate(from);
    const to = this.memory.allocateSpare();
    this.memory.fill(to, contents);
    this.places[gfn] = to;
    this.memory.release(from);
    return true;
  }
}
