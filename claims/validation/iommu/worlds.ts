/**
 * The machines on which DMA remapping was measured: a guest's driver of an emulated IOMMU, and below it, in mode `two`,
 * a hypervisor that shadows its tables through VFIO on a host with an IOMMU.
 *
 * Conditions of the measurement: legacy mode, 39-bit tables, 2 MiB and 1 GiB leaves, memory of the host in 2 MiB pages.
 */
import type { Pfn } from "../../../machine/address.ts";
import { PhysicalMemory } from "../../../machine/memory.ts";
import type { IommuCapabilities } from "../../../machine/iommu/registers.ts";
import { type IntelDomain, IntelIommu } from "../../../linux/iommu/intel.ts";
import { VfioContainer } from "../../../linux/iommu/vfio-type1.ts";
import type { TableMemory } from "../../../linux/iommu/table-memory.ts";
import { EmulatedVtd } from "../../../viommu/emulated-vtd.ts";
import { ShadowedDevice } from "../../../viommu/shadowed-device.ts";

/** Which measurement a stream's numbers are of. */
export const streamModes = ["strict", "cm", "two"] as const;
export type StreamMode = (typeof streamModes)[number];

export interface StreamWorld {
  readonly domain: IntelDomain;
  /** What the guest drives. */
  readonly guestIommu: EmulatedVtd;
  /** In mode `two`: the hypervisor's shadow, and the IOMMU of its host. */
  readonly shadow: ShadowedDevice | null;
  readonly hostIommu: EmulatedVtd | null;
}

const qemu: IommuCapabilities = {
  cachingMode: false,
  largeLevels: [2, 3],
  maskMax: 18,
  levels: 3,
  writeBufferFlush: false,
  coherent: true,
};

const device = { source: 0x0010, ats: false };
/** Frames for tables; the pages that a device is to reach hold no bytes and may have any number. */
const tableFrames = 16_384;
/** The guest's memory lies this far up in the host's: a whole number of 1 GiB. */
const hostOffset = 2 ** 24;

export function createWorld(mode: StreamMode): StreamWorld {
  const memory = tablesOf(new PhysicalMemory({ guestFrames: 0, tableFrames }));
  const guestIommu = new EmulatedVtd(memory, { ...qemu, cachingMode: mode !== "strict" });
  const host = mode === "two" ? hostOf(memory) : null;
  if (host !== null) guestIommu.addDevice(host.shadow);
  const domain = new IntelIommu(guestIommu, memory).createDomain();
  domain.attach(device);
  return { domain, guestIommu, shadow: host?.shadow ?? null, hostIommu: host?.iommu ?? null };
}

function hostOf(guestMemory: TableMemory) {
  const memory = tablesOf(new PhysicalMemory({ guestFrames: 0, tableFrames }));
  const iommu = new EmulatedVtd(memory, qemu);
  const domain = new IntelIommu(iommu, memory).createDomain();
  domain.attach(device);
  const container = new VfioContainer(domain, {
    pin: (gfn) => gfn + hostOffset,
    unpin: () => undefined,
  });
  const shadow = new ShadowedDevice({
    source: device.source,
    memory: guestMemory,
    guestFrames: 0,
    user: {
      map: ({ page, gfn, pages, rights }) => container.map(page, gfn, pages, rights),
      unmap: (page, pages) => container.unmap(page, pages),
    },
  });
  return { shadow, iommu };
}

function tablesOf(memory: PhysicalMemory): TableMemory {
  return {
    readLow: (frame, index) => memory.readLow(frame as Pfn, index),
    readHigh: (frame, index) => memory.readHigh(frame as Pfn, index),
    write: (frame, index, low, high) => memory.write(frame as Pfn, index, low, high),
    allocateFrame: () => memory.allocateTable(),
    freeFrame: (frame) => memory.freeTable(frame as Pfn),
  };
}
