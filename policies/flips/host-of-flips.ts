/**
 * The memory of a host in which bits flip: two guests' frames in no order, the hypervisor's tables above them.
 *
 * Only one of the two guests is there. The other one's frames are what the first may not reach.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import { withBitFlipped } from "../../machine/formats/bit-kind.ts";
import { type HostRoom, shareHost } from "../../machine/machine.ts";
import { assert } from "../../machine/assert.ts";
import { type MemorySize, PhysicalMemory } from "../../machine/memory.ts";
import { type Placement, scatter } from "../../machine/placement.ts";

/** Frames of 4 KiB that each of the guests has. */
export const framesOfGuest = 512;
const guests = 2;
/** Host frames below it are guests', those above the hypervisor's. */
export const guestsFrames = guests * framesOfGuest;

/** Physical memory that knows which frames a hypervisor has taken for tables, and where software stores. */
export class FlippingMemory extends PhysicalMemory {
  readonly tables = new Set<Pfn>();
  /** Told of each store that software makes by host frame; null while nobody listens. */
  onStore: ((pfn: Pfn) => void) | null = null;

  override reset(size: MemorySize): void {
    this.onStore = null;
    this.tables.clear();
    super.reset(size);
  }

  override allocateTable(node?: number): Pfn {
    const pfn = super.allocateTable(node);
    this.tables.add(pfn);
    return pfn;
  }

  override allocateTables(frames: number): Pfn | null {
    const first = super.allocateTables(frames);
    for (let i = 0; first !== null && i < frames; i++) this.tables.add((first + i) as Pfn);
    return first;
  }

  override write(pfn: Pfn, index: number, low: number, high: number): void {
    this.onStore?.(pfn);
    super.write(pfn, index, low, high);
  }

  override setLow(pfn: Pfn, index: number, low: number): void {
    this.onStore?.(pfn);
    super.setLow(pfn, index, low);
  }

  /** What disturbance does to a cell: nobody is told, no right is asked. Bits are counted from 0 to 63. */
  flip(pfn: Pfn, index: number, bit: number): void {
    const entry = { low: this.readLow(pfn, index), high: this.readHigh(pfn, index) };
    const { low, high } = withBitFlipped(entry, bit);
    super.write(pfn, index, low, high);
  }
}

export interface HostOfFlips {
  readonly memory: FlippingMemory;
  readonly room: HostRoom;
}

/** Powers the memory on again if there is one. */
export function hostOfFlips(used: FlippingMemory | null): HostOfFlips {
  let memory = used;
  const [first] = shareHost(guests, {
    guestFrames: framesOfGuest,
    backing: "4k",
    vcpus: 1,
    slotsMax: 1024,
    memory(size) {
      if (memory === null) memory = new FlippingMemory(size);
      else memory.reset(size);
      return memory;
    },
  });
  assert(memory !== null && first !== undefined, "flips: no host");
  return { memory, room: { ...first, placement } };
}

/** Frames of both guests lie among each other, as in a host that has run for a while. */
const placement: Placement = scatter(guestsFrames, 1, 1);

/** The host frames of the guest that is there. */
export function ownFrames(): Set<Pfn> {
  return new Set(Array.from({ length: framesOfGuest }, (_, gfn) => placement(gfn as Gfn)));
}
