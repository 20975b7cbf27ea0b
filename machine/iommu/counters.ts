/**
 * What an IOMMU counts, silicon or emulated: a flat record, so that a region is the difference of two.
 */
import { assert } from "../assert.ts";

export const iommuCounterNames = [
  /** Writes to the tail of the invalidation queue. Under an emulated IOMMU each is an exit. */
  "tailWrites",
  /** Writes to and reads of other registers, exits too under an emulated IOMMU. */
  "otherRegisters",
  "descriptors",
  "descriptorsContext",
  "descriptorsPasidCache",
  "descriptorsTlbGlobal",
  "descriptorsTlbDomain",
  "descriptorsTlbPage",
  "descriptorsPasidTlb",
  "descriptorsDeviceTlb",
  "descriptorsInterruptEntry",
  "descriptorsWait",
  /** Sum of 2^mask over page-selective IOTLB invalidations. */
  "pagesInvalidated",
  /** DMA requests that were translated, each of one 4 KiB page at most. */
  "requests",
  "tlbMisses",
  "contextHits",
  "contextMisses",
  "pasidHits",
  "pasidMisses",
  /** Memory reads of context walks: root, context, PASID directory and table. */
  "referencesContext",
  /** Memory reads of page walks: first level and second level. */
  "referencesFirst",
  "referencesSecond",
  /** Requests that were refused and recorded. */
  "faults",
  "pageRequests",
  "deviceTlbHits",
  "deviceTlbMisses",
  "interruptsRemapped",
  "interruptEntryMisses",
  "interruptsBlocked",
  "interruptsPosted",
  "notifications",
] as const;

export type IommuCounter = (typeof iommuCounterNames)[number];
export type IommuLedger = Record<IommuCounter, number>;

/** Largest address mask that a page-selective invalidation can have, and the histogram's last place. */
const maskMax = 63;

export class IommuCounts {
  readonly ledger: IommuLedger = Object.fromEntries(
    iommuCounterNames.map((name) => [name, 0]),
  ) as IommuLedger;
  /** Page-selective IOTLB invalidations by address mask. */
  readonly masks = new Float64Array(maskMax + 1);

  countPages(mask: number): void {
    assert(mask <= maskMax, () => `iommu: address mask ${mask}`);
    this.ledger.pagesInvalidated += 2 ** mask;
    this.masks[mask]! += 1;
  }
}

export function iommuDifference(after: IommuLedger, before: IommuLedger): IommuLedger {
  const entries = iommuCounterNames.map((name) => [name, after[name] - before[name]]);
  return Object.fromEntries(entries) as IommuLedger;
}
