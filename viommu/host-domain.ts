/**
 * The host's side of an assigned device: a domain in the host's IOMMU and VFIO to fill it.
 */
import type { IommuDomain } from "../linux/iommu/core.ts";
import { IntelIommu } from "../linux/iommu/intel.ts";
import { VfioContainer } from "../linux/iommu/vfio-type1.ts";
import type { DmaMachine } from "./dma-machine.ts";
import type { MappingUser } from "./shadow-walk.ts";

export interface AssignedDevices {
  readonly containers: readonly VfioContainer[];
  /** Who maps for each device. */
  readonly users: readonly MappingUser[];
  /** VFIO calls, and submissions to the host's IOMMU. */
  counts(): { hostCalls: number; hostSubmissions: number };
}

export interface HostSide extends AssignedDevices {
  readonly iommu: IntelIommu;
}

/** One domain and one container per device. */
export function hostSide(machine: DmaMachine): HostSide {
  const iommu = new IntelIommu(machine.iommu, machine.hostTables);
  const domains = machine.devices.map(({ requestor }) => {
    const domain = iommu.createDomain();
    domain.attach({ source: requestor.source, ats: machine.ats });
    return domain;
  });
  return { iommu, ...assignDevices(machine, domains) };
}

/** A container for each device over the domain that it is in. */
export function assignDevices(
  machine: DmaMachine,
  domains: readonly IommuDomain[],
): AssignedDevices {
  const containers = domains.map((domain) => new VfioContainer(domain, machine.pages));
  const users = containers.map((container): MappingUser => ({
    map(range) {
      machine.watcher?.hostMaps(range);
      container.map(range.page, range.gfn, range.pages, range.rights);
    },
    unmap(page, pages) {
      machine.watcher?.hostUnmaps(page, pages);
      machine.onUnmapping(container, page, pages);
      container.unmap(page, pages);
    },
  }));
  machine.containers = containers;
  return {
    containers,
    users,
    counts: () => ({
      hostCalls: containers.reduce(
        (sum, { mapCalls, unmapCalls }) => sum + mapCalls + unmapCalls,
        0,
      ),
      hostSubmissions: machine.iommu.counts.ledger.tailWrites,
    }),
  };
}
