import { iommuMap } from "../../../linux/iommu/core.ts";
import { scatteredFrames } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";
import { shadowedGuest } from "../shadowed-guest.ts";

const pages = 20;

export const mirroring: DmaScenario = {
  title: "Passthrough: the device's tables say what the guest's say, frames translated",
  run(see) {
    const { machine, device, domain, shadow } = shadowedGuest();
    const before = shadow.calls;
    iommuMap(domain, 100, scatteredFrames(pages), "read-write");
    see(
      `${shadow.calls - before} calls of VFIO for ${pages} leaves`,
      shadow.calls - before === pages,
    );
    let reached = 0;
    for (let i = 0; i < pages; i++) {
      const gfn = domain.translate(100 + i) ?? -1;
      if (machine.access(device, 100 + i, "write") === machine.pages.place(gfn)) reached += 1;
    }
    see(`the device reaches the guest's frames through ${reached} of ${pages}`, reached === pages);
  },
};
