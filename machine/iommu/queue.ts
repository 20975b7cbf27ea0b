/**
 * The invalidation queue: descriptors in a ring, and what each is to the IOMMU that takes them off it.
 *
 * Model: invalidations take no time. Bias: none in counts; software that polls the status word finds it at once.
 *
 * Source: VT-d specification 6.5.2 "Queued Invalidation Interface".
 */
import type { QueueMemory } from "./queue-memory.ts";
import type { IommuCounts, IommuCounter } from "./counters.ts";
import { decode, type Invalidation } from "./descriptors.ts";
import { DescriptorRing } from "./ring.ts";

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

/** VT-d's ring, empty; `perform` is called for each descriptor but waits, in order. */
export function invalidationQueue(
  memory: QueueMemory,
  counts: IommuCounts,
  perform: (what: Invalidation) => void,
): DescriptorRing {
  return new DescriptorRing(memory, counts, (words) => {
    const what = decode(words);
    count(counts, what);
    if (what.kind === "wait") {
      const { frame, index, value } = what;
      // The status word has 4 bytes.
      memory.write(frame, index, value, memory.readHigh(frame, index));
    } else {
      perform(what);
    }
  });
}

function count(counts: IommuCounts, what: Invalidation): void {
  if (what.kind === "iotlb") {
    counts.ledger[tlbCounterOf[what.scope]] += 1;
    if (what.scope === "page") counts.countPages(what.mask);
  } else {
    counts.ledger[counterOf[what.kind]] += 1;
  }
}
