import { iommuMap } from "../../../linux/iommu/core.ts";
import { IntelIommu } from "../../../linux/iommu/intel.ts";
import { ioFormats } from "../../../linux/iommu/entry-formats.ts";
import { highHalf, lowHalf } from "../../../machine/formats/x86-entry.ts";
import { smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";

const self = 511;
const { link, leaf } = ioFormats["second-level"];

export const selfMapping: DmaScenario = {
  title:
    "Self-mapping: a root that is its own entry makes every entry one load away, and hands the tables to the device",
  run(see) {
    const { machine, device } = smallMachine("pinned");
    const { hostTables } = machine;
    const domain = new IntelIommu(machine.iommu, hostTables).createDomain();
    iommuMap(domain, 1000, [{ frame: 4096, pages: 1 }], "read-write");
    const { root } = domain.table;
    hostTables.write(root, self, lowHalf(root, link.low), highHalf(root, link.high));
    domain.attach({ source: device.requestor.source, ats: false });
    // Below the entry of the root that names the root, a walk ends one level early: at the table that has the page's leaf.
    const place = self * 512 ** 3 + Math.floor(1000 / 512);
    const table = machine.access(device, place, "read") ?? -1;
    const found = table < 0 ? 0 : hostTables.readLow(table, 1000 % 512);
    const isTable = found === lowHalf(4096, leaf["read-write"].low);
    see("the page's own entry is one load away", isTable);
    // Which is why no driver of an IOMMU does it.
    see("and the device could write it", machine.access(device, place, "write") === table);
    hostTables.write(root, self, 0, 0);
    domain.flushAll();
    see("without, it is refused", machine.access(device, place, "write") === null);
    see("and reaches its page as before", machine.access(device, 1000, "write") === 4096);
  },
};
