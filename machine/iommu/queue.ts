/**
 * The invalidation queue: a ring of descriptors in memory, a tail register, and what takes them off the ring.
 *
 * Silicon runs behind the writer; here everything up to the new tail is done before the register write returns, as an
 * emulated IOMMU does it.
 *
 * Model: invalidations take no time. Bias: none in counts; software that polls the status word finds it at once.
 *
 * Source: VT-d specification 6.5.2 "Queued Invalidation Interface".
 */
import type { IommuCounts, IommuCounter } from "./counters.ts";
import { decode, type Invalidation } from "./descriptors.ts";

/** Descriptors in a ring of one page. */
export const queueLength = 256;

/** Memory as an IOMMU's queue reads and writes it; frames as the queue's owner numbers them. */
export interface QueueMemory {
  readLow(frame: number, index: number): number;
  readHigh(frame: number, index: number): number;
  write(frame: number, index: number, low: number, high: number): void;
}

const counterOf = {
  context: "descriptorsContext",
  "pasid-cache": "descriptorsPasidCache",
  "pasid-iotlb": "descriptorsPasidTlb",
  "device-tlb": "descriptorsDeviceTlb",
  "interrupt-entry": "descriptorsInterruptEntry",
  wait: "descriptorsWait",
} as const satisfies Record<Exclude<Invalidation["kind"], "iotlb">, IommuCounter>;

const tlbCounterOf = {
  global: "descriptorsTlbGlobal",
  domain: "descriptorsTlbDomain",
  page: "descriptorsTlbPage",
} as const;

export class InvalidationQueue {
  private readonly memory: QueueMemory;
  private readonly counts: IommuCounts;
  private readonly perform: (what: Invalidation) => void;
  private base = 0;
  private head = 0;

  /** `perform` is called for each descriptor but waits, in order. */
  constructor(memory: QueueMemory, counts: IommuCounts, perform: (what: Invalidation) => void) {
    this.memory = memory;
    this.counts = counts;
    this.perform = perform;
  }

  /** IQA: where the ring lies, one page. */
  setBase(frame: number): void {
    this.base = frame;
    this.head = 0;
  }

  /** IQT: descriptors up to `tail` (a place in the ring) are there. */
  writeTail(tail: number): void {
    this.counts.ledger.tailWrites += 1;
    while (this.head !== tail) {
      const at = this.head;
      // The ring moves on first: what is performed may look at the registers.
      this.head = (at + 1) % queueLength;
      this.take(at);
    }
  }

  private take(at: number): void {
    const { memory, counts, base } = this;
    const what = decode([
      memory.readLow(base, 2 * at),
      memory.readHigh(base, 2 * at),
      memory.readLow(base, 2 * at + 1),
      memory.readHigh(base, 2 * at + 1),
    ]);
    counts.ledger.descriptors += 1;
    if (what.kind === "iotlb") {
      counts.ledger[tlbCounterOf[what.scope]] += 1;
      if (what.scope === "page") counts.countPages(what.mask);
    } else {
      counts.ledger[counterOf[what.kind]] += 1;
    }
    if (what.kind === "wait") {
      const { frame, index, value } = what;
      // The status word has 4 bytes.
      memory.write(frame, index, value, memory.readHigh(frame, index));
    } else {
      this.perform(what);
    }
  }
}
