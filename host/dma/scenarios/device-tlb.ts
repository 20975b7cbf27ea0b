import { iommuMap, iommuUnmap } from "../../../linux/iommu/core.ts";
import { IntelIommu } from "../../../linux/iommu/intel.ts";
import { smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";

export const deviceTlb: DmaScenario = {
  title: "A TLB in the device: the IOTLB first, then the device; what forgetting it corrupts",
  run(see) {
    for (const isTold of [true, false]) {
      const { machine, device } = smallMachine("bare", { ats: true });
      const domain = new IntelIommu(machine.iommu, machine.hostTables).createDomain();
      // A driver that does not know of the device's TLB tells it nothing.
      domain.attach({ source: device.requestor.source, ats: isTold });
      iommuMap(domain, 1000, [{ frame: 2001, pages: 1 }], "read-write");
      machine.access(device, 1000, "write");
      const { ledger } = machine.iommu.counts;
      const before = ledger.tailWrites;
      iommuUnmap(domain, 1000, 1);
      const submissions = ledger.tailWrites - before;
      const reached = machine.access(device, 1000, "write");
      if (isTold) {
        see(`${submissions} submissions: the IOTLB and the device`, submissions === 2);
        see("the device is refused after the unmapping", reached === null);
      } else {
        see(`forgotten, ${submissions} submission`, submissions === 1);
        see("and the device writes to a frame that is somebody else's by now", reached === 2001);
      }
    }
  },
};
