import { iommuMap } from "../../../linux/iommu/core.ts";
import type { DmaScenario } from "../scenario.ts";
import { shadowedGuest } from "../shadowed-guest.ts";

export const separateViews: DmaScenario = {
  title:
    "Separate views: a page that the guest has not given to the device is not in the device's view",
  run(see) {
    const { machine, device, domain } = shadowedGuest();
    iommuMap(domain, 100, [{ frame: 4096, pages: 1 }], "read-write");
    const isThere = machine.access(device, 100, "read") !== null;
    see("the device reaches the page that it was given", isThere);
    for (const [page, name] of [
      [4096, "the same page by the guest's own address"],
      [101, "the page behind it"],
      [99, "the page before it"],
    ] as const) {
      see(`${name} is refused`, machine.access(device, page, "read") === null);
    }
  },
};
