/**
 * What every scheme for a guest's DMA is: a name in words, what kind, and how one is made on a machine.
 */
import type { IommuCounts } from "../machine/iommu/counters.ts";
import type { DmaApi } from "../linux/iommu/dma.ts";
import type { DmaMachine } from "./dma-machine.ts";

/** What the guest, its hypervisor and the host's kernel did beside silicon. */
export interface SchemeCounts {
  /** VM exits, the sum of those below. */
  readonly exits: number;
  /** Writes to an emulated IOMMU's registers, its queue's tail above all. */
  readonly exitsRegister: number;
  /** Stores to protected IO tables. */
  readonly exitsTableStore: number;
  /** Requests by which a paravirtual driver asks. */
  readonly exitsRequest: number;
  /** Register writes that another processor finds by polling: no exits. */
  readonly polls: number;
  /** Pages that a device asked for and the hypervisor made present. */
  readonly pageRequests: number;
  /** Calls of user space to map or unmap for a device. */
  readonly hostCalls: number;
  /** Submissions of the host's kernel to its IOMMU. */
  readonly hostSubmissions: number;
  /** Guest IO tables that the hypervisor visited. */
  readonly tablesWalked: number;
  /** Mappings that were taken away and made again because the guest's leaf had changed. */
  readonly windows: number;
  /** Pages that the guest's processor copied. */
  readonly pagesCopied: number;
}

export const noCounts: SchemeCounts = {
  exits: 0,
  exitsRegister: 0,
  exitsTableStore: 0,
  exitsRequest: 0,
  polls: 0,
  pageRequests: 0,
  hostCalls: 0,
  hostSubmissions: 0,
  tablesWalked: 0,
  windows: 0,
  pagesCopied: 0,
};

/** What a scheme counts whose exits are writes to the registers of an emulated IOMMU. */
export function registerExits({
  ledger,
}: IommuCounts): Pick<SchemeCounts, "exits" | "exitsRegister"> {
  const exits = ledger.tailWrites + ledger.otherRegisters;
  return { exits, exitsRegister: exits };
}

export interface SchemeOptions {
  /** What the guest's kernel is asked for; under caching mode it is strict all the same. */
  readonly flush: "strict" | "lazy";
}

export interface GuestDma {
  /** What the driver of each device calls. */
  readonly apis: readonly DmaApi[];
  /** Everything since the start. */
  counts(): SchemeCounts;
}

export interface DmaScheme {
  readonly title: string;
  readonly family: "bare" | "pinned" | "shadow" | "nested" | "paravirtual";
  /** PASID tables in silicon. */
  readonly scalable: boolean;
  /** What a device cannot leave: the pages that its driver has mapped, or all of the guest. */
  readonly protects: "page" | "guest";
  readonly create: (machine: DmaMachine, options: SchemeOptions) => GuestDma;
}
