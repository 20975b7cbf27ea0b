/**
 * Guest memory as the guest's kernel uses it for IO tables and rings: by guest frame, stores to protected frames exit.
 *
 * Model: a trapped store is found here, not by the vCPU's tables. Bias: none in exits for DMA; what the processor's own tables
 * cost is the other engines' business.
 */
import type { TableMemory } from "../linux/iommu/table-memory.ts";
import type { DmaWatcher } from "./dma-watcher.ts";
import type { GuestProcessor } from "./guest-home.ts";

export class GuestFrames implements TableMemory {
  /** Frames whose stores the hypervisor wants to see; empty unless it shadows by write protection. */
  readonly protectedFrames = new Set<number>();
  /** Loads of 8 bytes that its drivers made to find a free IO page and to walk to an entry. */
  loads = 0;
  /** Stores of 8 bytes that exited, and all. */
  trappedStores = 0;
  stores = 0;
  /** Told after the hypervisor has done a trapped store for the guest. */
  onTrappedStore: (frame: number, index: number) => void = () => undefined;
  /** Told before each store; null: nobody looks on. */
  watcher: Pick<DmaWatcher, "guestStores"> | null = null;
  private readonly processor: GuestProcessor;

  constructor(processor: GuestProcessor) {
    this.processor = processor;
  }

  /** An entry's load; its high half comes with it. */
  readLow(frame: number, index: number): number {
    this.loads += 1;
    return this.processor.readLow(frame, index);
  }

  readHigh(frame: number, index: number): number {
    return this.processor.readHigh(frame, index);
  }

  write(frame: number, index: number, low: number, high: number): void {
    this.stores += 1;
    this.watcher?.guestStores(frame, index, low, high);
    this.processor.write(frame, index, low, high);
    if (!this.protectedFrames.has(frame)) return;
    this.trappedStores += 1;
    this.onTrappedStore(frame, index);
  }

  allocateFrame(): number {
    return this.processor.allocateFrame();
  }

  freeFrame(frame: number): void {
    this.processor.freeFrame(frame);
  }

  /** The processor copies a page. */
  copyPage(to: number, from: number): void {
    this.processor.copyPage(to, from);
  }
}
