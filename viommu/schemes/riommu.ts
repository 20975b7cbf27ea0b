/**
 * rIOMMU on hardware, no guest: flat ring tables, the next entry fetched ahead, one invalidation per burst.
 *
 * Buys: no tree, no allocator, hardly an invalidation, hardly a miss for a device that goes in order. Pays: new silicon, and
 * devices that do not go in order miss at every request.
 *
 * Source: Malka 2015 (rIOMMU, ASPLOS).
 */
import { Riommu } from "../../machine/iommu/riommu.ts";
import { RingDma } from "../../linux/iommu/ring-dma.ts";
import { type DmaScheme, noCounts } from "../scheme.ts";

export const riommu: DmaScheme = {
  title: "rIOMMU on hardware: flat ring tables, an invalidation per burst",
  family: "bare",
  scalable: false,
  protects: "page",
  create(machine) {
    const { counts } = machine.iommu;
    const silicon = new Riommu(machine.emulator, counts);
    const apis = machine.devices.map(({ requestor: { source } }) => {
      return new RingDma(silicon, machine.guest, { clock: machine.clock, source });
    });
    machine.translator = ({ requestor }, page, kind) =>
      silicon.access(requestor.source, page, kind);
    return {
      apis,
      counts: () => ({ ...noCounts, hostSubmissions: counts.ledger.tailWrites }),
    };
  },
};
