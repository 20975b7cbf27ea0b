import { iommuMap } from "../../../linux/iommu/core.ts";
import { IntelIommu } from "../../../linux/iommu/intel.ts";
import { smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";

export const rootChange: DmaScenario = {
  title: "Change of roots: a device gets another table; what it asks for in between is refused",
  run(see) {
    const { machine, device } = smallMachine("bare");
    const iommu = new IntelIommu(machine.iommu, machine.hostTables);
    const domainOf = (frame: number) => {
      const domain = iommu.createDomain();
      iommuMap(domain, 1000, [{ frame, pages: 1 }], "read-write");
      return domain;
    };
    const [old, next] = [domainOf(2001), domainOf(2002)];
    const attached = { source: device.requestor.source, ats: false };
    old.attach(attached);
    const access = () => machine.access(device, 1000, "write");
    see("before: the old table's frame", access() === 2001);
    const { ledger } = machine.iommu.counts;
    const before = ledger.tailWrites;
    old.detach(attached);
    see("in the window: refused", access() === null);
    next.attach(attached);
    see("after: the new table's frame", access() === 2002);
    const submissions = ledger.tailWrites - before;
    see(`${submissions} submissions to the IOMMU`, submissions === 2);
    const [fault, ...more] = machine.iommu.faults;
    see("one request hit the window", fault?.cause === "no-context" && more.length === 0);
  },
};
