/**
 * A ring of descriptors in memory, which software fills and whose tail register it writes: VT-d's invalidation queue and
 * AMD's command buffer.
 *
 * Silicon runs behind the writer; here everything up to the new tail is done before the register write returns, as an
 * emulated IOMMU does it.
 *
 * Source: VT-d specification 6.5.2 "Queued Invalidation Interface"; AMD I/O Virtualization Technology (IOMMU)
 * specification 2.4 "Commands".
 */
import type { IommuCounts } from "./counters.ts";
import type { QueueMemory } from "./queue-memory.ts";

/** Descriptors of 16 bytes in a ring of one page. */
export const ringLength = 256;

/** A descriptor, 4 bytes after 4 bytes. */
export type DescriptorWords = readonly [number, number, number, number];

export class DescriptorRing {
  private readonly memory: QueueMemory;
  private readonly counts: IommuCounts;
  private readonly take: (words: DescriptorWords) => void;
  private base = 0;
  private head = 0;

  /** `take` is called for each descriptor, in order. */
  constructor(memory: QueueMemory, counts: IommuCounts, take: (words: DescriptorWords) => void) {
    this.memory = memory;
    this.counts = counts;
    this.take = take;
  }

  /** Where the ring lies, one page; it is empty. */
  setBase(frame: number): void {
    this.base = frame;
    this.head = 0;
  }

  /** Descriptors up to `tail` (a place in the ring) are there. */
  writeTail(tail: number): void {
    this.counts.ledger.tailWrites += 1;
    while (this.head !== tail) {
      const at = this.head;
      // The ring moves on first: what is performed may look at the registers.
      this.head = (at + 1) % ringLength;
      this.counts.ledger.descriptors += 1;
      this.take(this.wordsAt(at));
    }
  }

  private wordsAt(at: number): DescriptorWords {
    const { memory, base } = this;
    return [
      memory.readLow(base, 2 * at),
      memory.readHigh(base, 2 * at),
      memory.readLow(base, 2 * at + 1),
      memory.readHigh(base, 2 * at + 1),
    ];
  }
}
