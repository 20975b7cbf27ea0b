/**
 * A host with an IOMMU and a guest whose devices are the host's own: what every scheme is built on.
 */
import type { Pfn } from "../machine/address.ts";
import { DeviceTlb } from "../machine/iommu/device-tlb.ts";
import { type DmaDevice, type DmaFault, type DmaKind, Iommu } from "../machine/iommu/iommu.ts";
import { iommuPresets } from "../machine/iommu/presets.ts";
import type { QueueMemory } from "../machine/iommu/queue-memory.ts";
import type { IommuCapabilities } from "../machine/iommu/registers.ts";
import type { MmuFactory } from "../machine/machine.ts";
import type { PhysicalMemory } from "../machine/memory.ts";
import type { Preset } from "../machine/presets.ts";
import { DmaClock } from "../linux/iommu/clock.ts";
import type { FrameRun } from "../linux/iommu/core.ts";
import type { VfioContainer } from "../linux/iommu/vfio-type1.ts";
import type { TableMemory } from "../linux/iommu/table-memory.ts";
import { GuestFrames } from "./guest-frames.ts";
import { type AloneOptions, type GuestHome, type GuestProcessor, homeAlone } from "./guest-home.ts";
import type { DmaWatcher } from "./dma-watcher.ts";
import type { GuestPages } from "./host-pages.ts";

export interface DeviceOptions {
  readonly preset: keyof typeof iommuPresets;
  readonly factory: MmuFactory;
  readonly devices: number;
  /** PASID tables. */
  readonly scalable: boolean;
  /** Have the devices TLBs of their own (ATS)? Not with PASID tables. */
  readonly ats: boolean;
}

export type DmaMachineOptions = DeviceOptions & AloneOptions;

/** A request on its way through the fabric, translated already. */
export interface PostedRequest {
  readonly device: DmaDevice;
  readonly page: number;
  readonly kind: DmaKind;
  readonly pfn: Pfn;
}

/** The host's IOMMU. */
export const hostCapabilities: IommuCapabilities = {
  cachingMode: false,
  largeLevels: [2, 3],
  maskMax: 18,
  levels: 4,
  writeBufferFlush: false,
  coherent: true,
};

/** What a hypervisor emulates, as QEMU does. */
export const emulatedCapabilities: IommuCapabilities = { ...hostCapabilities, levels: 3 };

export class DmaMachine {
  readonly memory: PhysicalMemory;
  readonly pages: GuestPages;
  readonly guest: GuestFrames;
  /** Guest memory as what is emulated reads and writes it: its stores are no guest's. */
  readonly emulator: QueueMemory;
  readonly hostTables: TableMemory;
  readonly iommu: Iommu;
  /** The caches of its IOMMU, whichever it is. */
  readonly preset: Preset;
  readonly clock = new DmaClock();
  readonly devices: readonly DmaDevice[];
  readonly ats: boolean;
  private readonly deviceTlbs: ReadonlyMap<DmaDevice, DeviceTlb>;
  /** A device asks for a page (PRI). Without a taker the request is refused. */
  onPageRequest: (fault: DmaFault) => "again" | "done" = () => "done";
  /** What translates in place of the IOMMU; null: it does. */
  translator: ((device: DmaDevice, page: number, kind: DmaKind) => Pfn | null) | null = null;
  /** The containers by which the host maps for each device; none if it does not by VFIO. */
  containers: readonly VfioContainer[] = [];
  /** Told before a container takes back [page, page + pages). */
  onUnmapping: (container: VfioContainer, page: number, pages: number) => void = () => undefined;
  /** Told of each posted request when its data arrives. */
  onLanded: (posted: PostedRequest) => void = () => undefined;
  /** Who looks on; null: nobody. */
  watcher: DmaWatcher | null = null;
  private posted: PostedRequest[] = [];
  private readonly processor: GuestProcessor;

  /** `home` is where its guest lives; alone, if nothing is said. */
  constructor(options: DmaMachineOptions | (DeviceOptions & { readonly home: GuestHome })) {
    const { preset, factory, scalable } = options;
    const { memory, pages, processor, emulator } =
      "home" in options ? options.home : homeAlone(options);
    this.memory = memory;
    this.pages = pages;
    this.processor = processor;
    this.emulator = emulator;
    this.guest = new GuestFrames(processor);
    this.hostTables = hostTablesOf(this);
    this.preset = iommuPresets[preset];
    const hardware = { preset: this.preset, factory, scalable };
    this.iommu = new Iommu(this.memory, { ...hardware, capabilities: hostCapabilities });
    this.devices = Array.from({ length: options.devices }, (_, i) => ({
      requestor: { source: 0x0100 + 8 * i, pasid: 0 },
      refused: (fault: DmaFault) => this.onPageRequest(fault),
    }));
    this.ats = options.ats;
    const tlbs = options.ats ? this.devices : [];
    this.deviceTlbs = new Map(tlbs.map((device) => [device, new DeviceTlb(this.iommu, device)]));
    this.iommu.onDeviceTlb = ({ source, page, mask }) => {
      for (const tlb of this.deviceTlbs.values()) {
        if (tlb.device.requestor.source === source) tlb.invalidate(page, mask);
      }
      this.land();
    };
    this.iommu.onDrain = () => this.land();
  }

  /** `watcher` is told of everything from now on. */
  watch(watcher: DmaWatcher): void {
    this.watcher = watcher;
    this.guest.watcher = watcher;
    this.iommu.onInvalidation = (what) => watcher.forgets(what);
  }

  /** One request of a device, by way of its own TLB if it has one. */
  access(device: DmaDevice, page: number, kind: DmaKind): Pfn | null {
    if (this.translator !== null) return this.translator(device, page, kind);
    const tlb = this.deviceTlbs.get(device);
    return tlb === undefined ? this.iommu.access(device, page, kind) : tlb.access(page, kind);
  }

  /** Requests of one kind, in order. */
  burst(device: DmaDevice, kind: DmaKind, pages: readonly number[]): void {
    const isPlain = this.translator === null && !this.ats;
    if (isPlain) this.iommu.burst(device, kind, pages);
    else for (const page of pages) this.access(device, page, kind);
  }

  /** A request that is translated now and arrives later; false when it is refused. */
  post(device: DmaDevice, page: number, kind: DmaKind): boolean {
    const pfn = this.access(device, page, kind);
    if (pfn !== null) this.posted.push({ device, page, kind, pfn });
    return pfn !== null;
  }

  /** What is on its way arrives. */
  land(): void {
    const { posted } = this;
    this.posted = [];
    for (const one of posted) this.onLanded(one);
  }

  /** Guest frames that follow each other, for good; from 512 pages on aligned to 2 MiB. */
  takeBuffers(pages: number): FrameRun {
    return this.processor.takeBuffers(pages);
  }
}

function hostTablesOf(machine: DmaMachine): TableMemory {
  const { memory } = machine;
  return {
    readLow: (frame, index) => memory.readLow(frame as Pfn, index),
    readHigh: (frame, index) => memory.readHigh(frame as Pfn, index),
    write(frame, index, low, high) {
      machine.watcher?.hostStores(frame, index, low, high);
      memory.write(frame as Pfn, index, low, high);
    },
    allocateFrame: () => memory.allocateTable(),
    freeFrame: (frame) => memory.freeTable(frame as Pfn),
  };
}
