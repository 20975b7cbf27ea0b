/**
 * The host's side of an assigned device: a domain in the host's IOMMU and VFIO to fill it.
 */
import { type IntelDomain, IntelIommu } from "../linux/iommu/intel.ts";
import { VfioContainer } from "../linux/iommu/vfio-type1.ts";
import type { DmaMachine } from "./dma-machine.ts";
import type { MappingUser } from "./shadow-walk.ts";

export interface HostSide {
  readonly iommu: IntelIommu;
  readonly containers: readonly VfioContainer[];
  /** Who maps for each device. */
  readonly users: readonly MappingUser[];
  /** VFIO calls, and submissions to the host's IOMMU. */
  counts(): { hostCalls: number; hostSubmissions: number };
}

/** One domain and one container per device. */
export function hostSide(machine: DmaMachine): HostSide {
  const iommu = new IntelIommu(machine.iommu, machine.hostTables);
  const containers = machine.devices.map(({ requestor }) => {
    const domain: IntelDomain = iommu.createDomain();
    domain.attach({ source: requestor.source, ats: machine.ats });
    return new VfioContainer(domain, machine.pages);
  });
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
    iommu,
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
