/**
 * Guest memory as the guest's kernel uses it for IO tables and rings: by guest frame, stores to protected frames exit.
 *
 * Model: these stores go by the host's map of guest memory, not through a vCPU's translation. Bias: none in exits for DMA; what
 * the processor's own tables cost is the other engines' business.
 */
import { assert } from "../machine/assert.ts";
import type { PhysicalMemory } from "../machine/memory.ts";
import type { TableMemory } from "../linux/iommu/table-memory.ts";
import type { HostPages } from "./host-pages.ts";

export class GuestFrames implements TableMemory {
  /** Frames whose stores the hypervisor wants to see; empty unless it shadows by write protection. */
  readonly protectedFrames = new Set<number>();
  /** Stores of 8 bytes that exited, and all. */
  trappedStores = 0;
  stores = 0;
  /** Told after the hypervisor has done a trapped store for the guest. */
  onTrappedStore: (frame: number, index: number) => void = () => undefined;
  private readonly memory: PhysicalMemory;
  private readonly pages: HostPages;
  private readonly free: number[] = [];
  private next: number;
  private readonly end: number;

  /** The kernel takes its frames from [start, end). */
  constructor(
    memory: PhysicalMemory,
    pages: HostPages,
    { start, end }: { readonly start: number; readonly end: number },
  ) {
    this.memory = memory;
    this.pages = pages;
    this.next = start;
    this.end = end;
  }

  readLow(frame: number, index: number): number {
    return this.memory.readLow(this.pages.place(frame), index);
  }

  readHigh(frame: number, index: number): number {
    return this.memory.readHigh(this.pages.place(frame), index);
  }

  write(frame: number, index: number, low: number, high: number): void {
    this.stores += 1;
    this.memory.write(this.pages.place(frame), index, low, high);
    if (!this.protectedFrames.has(frame)) return;
    this.trappedStores += 1;
    this.onTrappedStore(frame, index);
  }

  allocateFrame(): number {
    const frame = this.free.pop() ?? this.next++;
    assert(frame < this.end, "guest kernel: no frame left for IO tables");
    this.memory.zero(this.pages.place(frame));
    return frame;
  }

  freeFrame(frame: number): void {
    this.free.push(frame);
  }

  /** The processor copies a page. */
  copyPage(to: number, from: number): void {
    this.memory.copy(this.pages.place(to), this.pages.place(from));
  }
}
