/**
 * An IOMMU: translates what devices ask for, refuses the rest and records it, and forgets what its queue tells it to.
 *
 * A refused request is recorded and dropped: nothing exits and nothing is tried again, unless the device can ask for the
 * page (PRI).
 *
 * Model: requests are of at most one page and are done one after another. Bias: none in counts.
 *
 * Source: VT-d specification 3 "DMA Remapping", 6 "Caching Translation Information", 7 "Translation Faults".
 */
import type { Vpn } from "../address.ts";
import { AccessUnit, type Requester } from "../access-unit.ts";
import type { Pfn } from "../address.ts";
import type { MmuFactory } from "../machine.ts";
import type { PhysicalMemory } from "../memory.ts";
import { type Mmu, STORE, type WalkReference } from "../mmu.ts";
import type { Observer } from "../observer.ts";
import type { Preset } from "../presets.ts";
import { type Binding, ContextCache, type Requestor } from "./context-cache.ts";
import { IommuCounts } from "./counters.ts";
import type { Invalidation } from "./descriptors.ts";
import { InterruptRemapper } from "./interrupts.ts";
import { invalidationQueue } from "./queue.ts";
import type { DescriptorRing } from "./ring.ts";
import {
  GCMD_TRANSLATE,
  type IommuCapabilities,
  type IommuPort,
  type IommuRegister,
} from "./registers.ts";
import { TranslationUnits } from "./translation-units.ts";

export type DmaKind = "read" | "write";

export interface DmaFault extends Requestor {
  readonly page: number;
  readonly kind: DmaKind;
  /** No context or PASID entry, or no right to the page. */
  readonly cause: "no-context" | "no-page";
}

/** Faults that the recording registers hold (assumed); later ones are counted and lost. */
const recordsMax = 8;

/** Whose requests the IOMMU serves. */
export interface DmaDevice {
  readonly requestor: Requestor;
  /**
   * The page is not there for `kind`. "again": somebody has made it present meanwhile (PRI). "done": the request is given
   * up.
   */
  refused(fault: DmaFault): "again" | "done";
}

export interface IommuOptions {
  readonly capabilities: IommuCapabilities;
  readonly preset: Preset;
  readonly factory: MmuFactory;
  /** Scalable mode: PASID tables. */
  readonly scalable: boolean;
}

export class Iommu implements IommuPort {
  readonly capabilities: IommuCapabilities;
  readonly counts = new IommuCounts();
  readonly faults: DmaFault[] = [];
  faultsLost = 0;
  /** Told of each device TLB invalidation: it travels to the device. */
  onDeviceTlb: (what: Extract<Invalidation, { kind: "device-tlb" }>) => void = () => undefined;
  /** Told after each IOTLB invalidation: requests that were translated before it are done before it is (DR, DW). */
  onDrain: () => void = () => undefined;
  /** Told of each invalidation before it is done. */
  onInvalidation: (what: Invalidation) => void = () => undefined;
  /** Is a request let through that a device has translated itself? Context entries of Linux's for a device with ATS say yes (TT 01). */
  readonly takesTranslated = () => true;
  observer: Observer | null = null;
  private readonly memory: PhysicalMemory;
  private readonly queue: DescriptorRing;
  private readonly contexts: ContextCache;
  private readonly units: TranslationUnits;
  readonly interrupts: InterruptRemapper;
  private readonly scalable: boolean;
  private readonly accesses = new Map<DmaDevice, Map<Mmu, AccessUnit>>();
  /** What translated last, and its unit; null before the first. */
  private latest: { readonly translation: Binding["translation"]; readonly mmu: Mmu } | null = null;
  /** Requests of the burst in hand that were refused. */
  private refusals = 0;
  private root = 0;
  private isOn = false;

  constructor(memory: PhysicalMemory, options: IommuOptions) {
    const { capabilities, scalable } = options;
    this.memory = memory;
    this.capabilities = capabilities;
    this.scalable = scalable;
    this.contexts = new ContextCache(memory, this.counts);
    this.interrupts = new InterruptRemapper(memory, this.counts);
    this.units = new TranslationUnits(memory, options, this.counts);
    this.queue = invalidationQueue(memory, this.counts, (what) => this.perform(what));
  }

  write(register: IommuRegister, value: number): void {
    if (register === "IQT") {
      this.queue.writeTail(value);
      return;
    }
    this.counts.ledger.otherRegisters += 1;
    if (register === "RTADDR") this.root = value;
    if (register === "IQA") this.queue.setBase(value);
    if (register === "GCMD" && (value & GCMD_TRANSLATE) !== 0) this.isOn = true;
    if (register === "IRTA") this.interrupts.setTable(value);
    if (register === "FSTS") this.faults.length = 0;
  }

  private perform(what: Invalidation): void {
    this.onInvalidation(what);
    if (what.kind === "context" || what.kind === "pasid-cache") this.contexts.invalidate(what);
    else if (what.kind === "iotlb" || what.kind === "pasid-iotlb") {
      this.units.invalidate(what);
      this.onDrain();
    } else if (what.kind === "device-tlb") this.onDeviceTlb(what);
    else if (what.kind === "interrupt-entry") this.interrupts.invalidate(what);
  }

  /** How `requestor` is translated now; null when it is not known. Off: as it is. */
  binding(requestor: Requestor): Binding | "off" | null {
    if (!this.isOn) return "off";
    return this.scalable
      ? this.contexts.findScalable(this.root, requestor)
      : this.contexts.findLegacy(this.root, requestor);
  }

  /** One request; the frame that it reached, or null when it was refused. */
  access(device: DmaDevice, page: number, kind: DmaKind): Pfn | null {
    return this.burst(device, kind, [page]);
  }

  /** Requests of one kind, in order; the frame of the last one that was done, null when there was none. */
  burst(device: DmaDevice, kind: DmaKind, pages: readonly number[]): Pfn | null {
    const { ledger } = this.counts;
    ledger.requests += pages.length;
    const { requestor } = device;
    const binding = this.binding(requestor);
    if (binding === "off") return (pages.at(-1) ?? null) as Pfn | null;
    if (binding === null) {
      for (const page of pages)
        this.refuse(device, { ...requestor, page, kind, cause: "no-context" });
      return null;
    }
    // The others of a burst find what the first one has brought.
    ledger[this.scalable ? "pasidHits" : "contextHits"] += pages.length - 1;
    if (binding.translation === "pass-through") return (pages.at(-1) ?? null) as Pfn | null;
    return this.translate(device, kind, pages, binding);
  }

  private translate(
    device: DmaDevice,
    kind: DmaKind,
    pages: readonly number[],
    binding: Binding,
  ): Pfn | null {
    const { requestor } = device;
    const mmu = this.units.unitFor(binding, requestor.pasid);
    this.latest =
      this.latest?.mmu === mmu ? this.latest : { translation: binding.translation, mmu };
    const accesses = this.accessesOf(device, mmu);
    const limit = pagesOf(binding);
    this.refusals = 0;
    for (const page of pages) {
      if (page < limit) {
        accesses.append(page as Vpn, 0, kind === "write" ? STORE : 0);
      } else {
        accesses.drain();
        this.refuse(device, { ...requestor, page, kind, cause: "no-page" });
      }
    }
    accesses.drain();
    return this.refusals === pages.length ? null : mmu.lastPfn();
  }

  private accessesOf(device: DmaDevice, mmu: Mmu): AccessUnit {
    let byMmu = this.accesses.get(device);
    if (byMmu === undefined) {
      byMmu = new Map();
      this.accesses.set(device, byMmu);
    }
    let accesses = byMmu.get(mmu);
    if (accesses === undefined) {
      accesses = new AccessUnit(mmu, this.memory, this.requesterFor(device));
      byMmu.set(mmu, accesses);
    }
    accesses.observer = this.observer;
    return accesses;
  }

  private requesterFor(device: DmaDevice): Requester {
    return {
      id: device.requestor.source,
      stopped: (vpn, _offset, high) => {
        const kind = high < 0 ? "write" : "read";
        return this.refuse(device, { ...device.requestor, page: vpn, kind, cause: "no-page" });
      },
    };
  }

  private refuse(device: DmaDevice, fault: DmaFault): "again" | "done" {
    const answer = device.refused(fault);
    if (answer === "again") {
      this.counts.ledger.pageRequests += 1;
      return answer;
    }
    this.refusals += 1;
    this.counts.ledger.faults += 1;
    if (this.faults.length < recordsMax) this.faults.push(fault);
    else this.faultsLost += 1;
    return answer;
  }

  /** The references of the last page walk, in order, and how its request was translated; null before the first. */
  lastWalk(): {
    readonly translation: Binding["translation"];
    readonly references: readonly WalkReference[];
  } | null {
    const { latest } = this;
    return latest && { translation: latest.translation, references: latest.mmu.lastWalk() };
  }

  /** Brings the counts up to date with what the units have counted. */
  collect(): void {
    this.units.collect();
  }
}

/** IO pages that the tables have room for. */
function pagesOf({ translation, firstLevels, secondLevels }: Binding): number {
  return 512 ** (translation === "second-level" ? secondLevels : firstLevels);
}
