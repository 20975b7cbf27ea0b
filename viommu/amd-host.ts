/**
 * A machine whose IOMMU is AMD's: its silicon in place of the machine's own, Linux's driver on it, for a guest or for VFIO.
 */
import { AmdIommu, deviceTablePages } from "../linux/iommu/amd.ts";
import type { LinuxDma } from "../linux/iommu/dma.ts";
import { assert } from "../machine/assert.ts";
import { type AmdCommand, everyPage } from "../machine/iommu/amd/commands.ts";
import { type AmdPort, AmdSilicon, type DeviceTablePlace } from "../machine/iommu/amd/iommu.ts";
import type { Invalidation } from "../machine/iommu/descriptors.ts";
import type { DmaMachine } from "./dma-machine.ts";
import { linuxDma } from "./guest-driver.ts";
import { assignDevices, type AssignedDevices } from "./host-domain.ts";

/** Devices of the machine are behind it from now on. They have no TLBs of their own. */
export function amdSilicon(machine: DmaMachine): AmdSilicon {
  const { counts } = machine.iommu;
  const silicon = new AmdSilicon(machine.memory, { preset: machine.preset, counts });
  silicon.onDrain = () => machine.land();
  silicon.onCommand = (what) => machine.watcher?.forgets(asInvalidation(what));
  machine.translator = ({ requestor }, page, kind) => silicon.access(requestor.source, page, kind);
  return silicon;
}

/** A command in the words of an Intel IOMMU's queue, for who looks on. */
function asInvalidation(what: AmdCommand): Invalidation {
  if (what.kind === "device") {
    return { kind: "context", scope: "device", domain: 0, source: what.source };
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
    domain.attach(requestor.source);
    return linuxDma(machine, domain, allowed);
  });
}

/** The host's Linux on `silicon`, with a domain and a container for each device. */
export function amdHostSide(machine: DmaMachine, silicon: AmdSilicon): AssignedDevices {
  const iommu = new AmdIommu(silicon, machine.hostTables, hostDeviceTable(machine));
  const domains = machine.devices.map(({ requestor }) => {
    const domain = iommu.createDomain();
    domain.attach(requestor.source);
    return domain;
  });
  return assignDevices(machine, domains);
}

function hostDeviceTable({ memory }: DmaMachine): DeviceTablePlace {
  const frame = memory.allocateTables(deviceTablePages);
  assert(frame !== null, "host: no frames in a row for a device table");
  return { frame, pages: deviceTablePages };
}
