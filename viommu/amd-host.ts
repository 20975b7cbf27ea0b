/**
 * A machine whose IOMMU is AMD's: its silicon in place of the machine's own, Linux's driver on it, for a guest or for VFIO.
 */
import { AmdIommu, deviceTablePages } from "../linux/iommu/amd.ts";
import type { LinuxDma } from "../linux/iommu/dma.ts";
import { assert } from "../machine/assert.ts";
import { type AmdCommand, everyPage } from "../machine/iommu/amd/commands.ts";
import { type AmdPort, AmdSilicon, type DeviceTablePlace } from "../machine/iommu/amd/iommu.ts";
import { DeviceTlb, type TranslationAgent } from "../machine/iommu/device-tlb.ts";
import type { Invalidation } from "../machine/iommu/descriptors.ts";
import type { DmaMachine } from "./dma-machine.ts";
import { linuxDma } from "./guest-driver.ts";
import { assignDevices, type AssignedDevices } from "./host-domain.ts";

/** Devices of the machine are behind it from now on, with TLBs of their own if the machine's have any. */
export function amdSilicon(machine: DmaMachine): AmdSilicon {
  const { counts } = machine.iommu;
  const silicon = new AmdSilicon(machine.memory, { preset: machine.preset, counts });
  silicon.onDrain = () => machine.land();
  silicon.onCommand = (what) => machine.watcher?.forgets(asInvalidation(what));
  const agent: TranslationAgent = {
    counts,
    access: ({ requestor }, page, kind) => silicon.access(requestor.source, page, kind),
    takesTranslated: ({ requestor }, page, kind) =>
      silicon.takesTranslated(requestor.source, page, kind),
  };
  const tlbs = new Map(
    machine.ats ? machine.devices.map((device) => [device, new DeviceTlb(agent, device)]) : [],
  );
  silicon.onDeviceTlb = ({ source, page, order }) => {
    for (const [{ requestor }, tlb] of tlbs) {
      if (requestor.source === source) tlb.invalidate(page, order);
    }
  };
  machine.translator = (device, page, kind) => {
    const tlb = tlbs.get(device);
    return tlb === undefined ? agent.access(device, page, kind) : tlb.access(page, kind);
  };
  return silicon;
}

/** A command in the words of an Intel IOMMU's queue, for who looks on. */
function asInvalidation(what: AmdCommand): Invalidation {
  if (what.kind === "device") {
    return { kind: "context", scope: "device", domain: 0, source: what.source };
  }
  if (what.kind === "device-tlb") {
    return { kind: "device-tlb", source: what.source, page: what.page, mask: what.order };
  }
  assert(what.kind === "pages", "amd iommu: a wait forgets nothing");
  const { domain, page, order } = what;
  const scope = order >= everyPage ? "domain" : "page";
  return { kind: "iotlb", scope, domain, page, mask: order, leavesOnly: !what.tables };
}

/** Linux's AMD driver on `port`, with a domain for each device. */
export function amdGuest(machine: DmaMachine, port: AmdPort, flush: "strict" | "lazy"): LinuxDma[] {
  const { frame } = machine.takeBuffers(deviceTablePages);
  const iommu = new AmdIommu(port, machine.guest, { frame, pages: deviceTablePages });
  // Linux is strict where mapping invalidates, as under caching mode.
  const allowed = port.npCache ? "strict" : flush;
  return machine.devices.map(({ requestor }) => {
    const domain = iommu.createDomain();
    // A virtual IOMMU has no ATS: the TLB in the device is the host's to empty.
    domain.attach({ source: requestor.source, ats: machine.ats && !port.npCache });
    return linuxDma(machine, domain, allowed);
  });
}

/** The host's Linux on `silicon`, with a domain and a container for each device. */
export function amdHostSide(machine: DmaMachine, silicon: AmdSilicon): AssignedDevices {
  const iommu = new AmdIommu(silicon, machine.hostTables, hostDeviceTable(machine));
  const domains = machine.devices.map(({ requestor }) => {
    const domain = iommu.createDomain();
    domain.attach({ source: requestor.source, ats: machine.ats });
    return domain;
  });
  return assignDevices(machine, domains);
}

function hostDeviceTable({ memory }: DmaMachine): DeviceTablePlace {
  const frame = memory.allocateTables(deviceTablePages);
  assert(frame !== null, "host: no frames in a row for a device table");
  return { frame, pages: deviceTablePages };
}
