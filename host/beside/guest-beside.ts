/**
 * The home of a guest that drives devices and runs programs too: one memory, one host, one kernel.
 *
 * IO tables, rings and descriptors are stores of the guest's kernel through its direct map, so that logs, snapshots and swapping
 * meet them as any other page. What the hypervisor emulates reads and writes guest memory as a VMM does.
 *
 * Model: the kernel's loads of its own tables go by the host's map and take no walk. Bias: none between schemes for DMA.
 */
import type { DriverMemory } from "../../guest/driver-memory.ts";
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { Machine } from "../../machine/machine.ts";
import type { HostMemory } from "../../hypervisor/memory/host-memory.ts";
import type { GuestHome } from "../../viommu/guest-home.ts";
import type { GuestPages } from "../../viommu/host-pages.ts";

/** Guest pages whose frames the host's own memory keeps in place. */
export class PinnedPages implements GuestPages {
  readonly frames: number;
  pinnedPeak = 0;
  /** Pages that were unpinned since this was emptied last. */
  readonly released = new Set<number>();
  private readonly host: HostMemory;

  constructor(host: HostMemory) {
    this.host = host;
    this.frames = host.frames;
  }

  get pinned(): number {
    return this.host.pins.size;
  }

  place(gfn: number): Pfn {
    return this.host.touch(gfn as Gfn);
  }

  pin(gfn: number): number {
    const pfn = this.host.pin(gfn as Gfn);
    this.pinnedPeak = Math.max(this.pinnedPeak, this.pinned);
    return pfn;
  }

  unpin(gfn: number): void {
    this.host.unpin(gfn as Gfn);
    this.released.add(gfn);
  }

  isPinned(gfn: number): boolean {
    return this.host.pins.has(gfn);
  }

  forgetPeak(): void {
    this.pinnedPeak = this.pinned;
  }

  move(gfn: number): boolean {
    if (this.isPinned(gfn)) return false;
    this.host.answer({ kind: "evict", start: gfn as Gfn, frames: 1 });
    return true;
  }
}

export interface BesideHome extends GuestHome {
  readonly pages: PinnedPages;
  /** Guest frames that the VMM itself has stored to since this was emptied last. */
  readonly emulated: Set<number>;
}

/** Driver code runs on one processor at a time: this one's memory it has. */
export interface RunningDriver {
  driver: DriverMemory;
}

export function homeBeside(machine: Machine, host: HostMemory, running: RunningDriver): BesideHome {
  const emulated = new Set<number>();
  const bytes = {
    readLow: (frame: number, index: number) => host.readLow(frame as Gfn, index),
    readHigh: (frame: number, index: number) => host.readHigh(frame as Gfn, index),
  };
  return {
    memory: machine.memory,
    pages: new PinnedPages(host),
    emulated,
    emulator: {
      ...bytes,
      write(frame, index, low, high) {
        emulated.add(frame);
        host.write(frame as Gfn, index, low, high);
      },
    },
    processor: {
      ...bytes,
      write: (frame, index, low, high) => running.driver.store(frame, index, low, high),
      allocateFrame: () => running.driver.takeZeroed(),
      freeFrame: (frame) => running.driver.release(frame),
      copyPage: (to, from) => running.driver.copy(to, from),
      takeBuffers: (pages) => ({ frame: running.driver.takeRow(pages), pages }),
    },
  };
}
