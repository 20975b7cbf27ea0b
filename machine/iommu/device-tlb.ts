/**
 * A TLB in the device (ATS): it asks the IOMMU for translations, keeps them, and sends translated requests, whose pages are
 * checked no more.
 *
 * So whoever unmaps must empty the IOTLB first and the device second: a device that asks again in between must not be answered
 * from the IOTLB.
 *
 * Model: 64 entries of one page, the least recently used goes (assumed). Bias: unknown.
 *
 * Source: PCI Express ATS; VT-d specification 4 "Support for Device-TLBs".
 */
import type { Pfn } from "../address.ts";
import type { IommuCounts } from "./counters.ts";
import type { DmaDevice, DmaKind } from "./iommu.ts";

const entriesMax = 64;

/** The IOMMU behind it. */
export interface TranslationAgent {
  readonly counts: IommuCounts;
  /** Asks for a translation; null when there is none. */
  access(device: DmaDevice, page: number, kind: DmaKind): Pfn | null;
  /** Is a translated request of the device let through? */
  takesTranslated(device: DmaDevice, page: number, kind: DmaKind): boolean;
}

interface Entry {
  readonly pfn: Pfn;
  readonly mayWrite: boolean;
}

export class DeviceTlb {
  readonly device: DmaDevice;
  private readonly iommu: TranslationAgent;
  private readonly entries = new Map<number, Entry>();

  constructor(iommu: TranslationAgent, device: DmaDevice) {
    this.iommu = iommu;
    this.device = device;
  }

  /** One request; the frame that it reached, or null when it was refused. */
  access(page: number, kind: DmaKind): Pfn | null {
    const { ledger } = this.iommu.counts;
    const known = this.entries.get(page);
    if (known !== undefined && (kind === "read" || known.mayWrite)) {
      ledger.deviceTlbHits += 1;
      if (!this.iommu.takesTranslated(this.device, page, kind)) return null;
      this.enter(page, known);
      return known.pfn;
    }
    ledger.deviceTlbMisses += 1;
    const pfn = this.iommu.access(this.device, page, kind);
    if (pfn !== null) this.enter(page, { pfn, mayWrite: kind === "write" });
    return pfn;
  }

  private enter(page: number, entry: Entry): void {
    this.entries.delete(page);
    const [oldest] = this.entries.keys();
    if (oldest !== undefined && this.entries.size === entriesMax) this.entries.delete(oldest);
    this.entries.set(page, entry);
  }

  /** Forgets 2^`mask` pages from `page` on. */
  invalidate(page: number, mask: number): void {
    const end = page + 2 ** mask;
    for (const at of this.entries.keys()) if (at >= page && at < end) this.entries.delete(at);
  }
}
