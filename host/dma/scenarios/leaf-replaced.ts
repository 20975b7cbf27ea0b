import { iommuMap } from "../../../linux/iommu/core.ts";
import type { DmaScenario } from "../scenario.ts";
import { shadowedGuest } from "../shadowed-guest.ts";

export const leafReplaced: DmaScenario = {
  title:
    "A leaf that the guest changes in place: taken away and made again, for VFIO has no replace",
  run(see) {
    const { machine, device, domain, shadow, during, watch } = shadowedGuest();
    iommuMap(domain, 100, [{ frame: 4096, pages: 1 }], "read-write");
    machine.access(device, 100, "read");
    const { calls } = shadow;
    domain.syncMap(100, 1);
    see("an invalidation that changes nothing is no call", shadow.calls === calls);
    watch(100);
    // No Linux does this: it unmaps first.
    iommuMap(domain, 100, [{ frame: 4097, pages: 1 }], "read-write");
    see(`${shadow.counts.replaced} leaf replaced`, shadow.counts.replaced === 1);
    see("a device that asks in between is refused", during.length === 1 && during[0] === null);
    const reached = machine.access(device, 100, "read");
    see("and then reaches the new frame", reached === machine.pages.place(4097));
  },
};
