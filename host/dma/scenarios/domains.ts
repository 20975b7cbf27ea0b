import { counted } from "../../../machine/counted-text.ts";
import { iommuMap, iommuUnmap } from "../../../linux/iommu/core.ts";
import { IntelIommu } from "../../../linux/iommu/intel.ts";
import { smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";

export const domains: DmaScenario = {
  title: "Domains: two devices over the same page, apart and merged",
  run(see) {
    for (const [count, ats, misses, submissions] of [
      [2, false, 2, 2],
      [1, false, 1, 1],
      // A TLB in each costs an invalidation each.
      [1, true, 1, 3],
    ] as const) {
      const { machine } = smallMachine("bare", { devices: 2, ats });
      const iommu = new IntelIommu(machine.iommu, machine.hostTables);
      const all = Array.from({ length: count }, () => iommu.createDomain());
      for (const one of all) iommuMap(one, 1000, [{ frame: 2001, pages: 1 }], "read-write");
      for (const [i, { requestor }] of machine.devices.entries()) {
        all[i % count]?.attach({ source: requestor.source, ats });
      }
      for (const device of machine.devices) machine.access(device, 1000, "write");
      machine.iommu.collect();
      const { ledger } = machine.iommu.counts;
      const which = `${count === 1 ? "merged" : "apart"}${ats ? ", TLBs in the devices" : ""}`;
      const missed = ledger.tlbMisses;
      see(`${which}: ${counted(missed, "IOTLB miss", "IOTLB misses")}`, missed === misses);
      const before = ledger.tailWrites;
      for (const one of all) iommuUnmap(one, 1000, 1);
      const sent = ledger.tailWrites - before;
      see(`${which}: ${counted(sent, "submission")} to unmap`, sent === submissions);
      const reached = machine.devices.filter(
        (device) => machine.access(device, 1000, "read") !== null,
      );
      see(`${which}: ${reached.length} devices reach it then`, reached.length === 0);
    }
  },
};
