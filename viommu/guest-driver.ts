/**
 * The guest's side as Linux has it: a driver of the IOMMU that it sees, a domain and the DMA API per device.
 */
import { LinuxDma } from "../linux/iommu/dma.ts";
import type { IommuDomain } from "../linux/iommu/core.ts";
import { IntelIommu } from "../linux/iommu/intel.ts";
import { IovaAllocator } from "../linux/iommu/iova.ts";
import type { IommuPort } from "../machine/iommu/registers.ts";
import type { DmaMachine } from "./dma-machine.ts";

/** Where interrupts are written; no buffer is there. */
const interruptPages = { page: 0xf_ee00, pages: 0x100 };

export function linuxDma(
  machine: DmaMachine,
  domain: IommuDomain,
  flush: "strict" | "lazy",
): LinuxDma {
  const allocator = new IovaAllocator([interruptPages], machine.guest);
  return new LinuxDma({ domain, allocator, clock: machine.clock, flush });
}

/** Linux's Intel driver on `port`, with a domain for each device. */
export function intelGuest(
  machine: DmaMachine,
  port: IommuPort,
  flush: "strict" | "lazy",
): LinuxDma[] {
  const iommu = new IntelIommu(port, machine.guest);
  // Linux: "IOMMU batching disallowed due to virtualization", because a whole domain's flush is a walk of all its tables.
  const allowed = port.capabilities.cachingMode ? "strict" : flush;
  return machine.devices.map(({ requestor }) => {
    const domain = iommu.createDomain();
    // A virtual IOMMU has no ATS: the TLB in the device is the host's to empty.
    domain.attach({ source: requestor.source, ats: machine.ats && port === machine.iommu });
    return linuxDma(machine, domain, allowed);
  });
}
