import { scatteredFrames, smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";

export const stableSnapshot: DmaScenario = {
  title:
    "Double fetch: what was translated before an unmapping arrives before the unmapping ends, none after",
  run(see) {
    const { machine, api, device } = smallMachine("shadow-cm");
    const segments = api.map(scatteredFrames(4), "read-write");
    const pages = [0, 1, 2, 3].map((i) => (segments[0]?.page ?? 0) + i);
    const order: string[] = [];
    machine.onLanded = ({ page }) => order.push(`page ${page}`);
    for (const page of pages) machine.post(device, page, "write");
    see("4 writes are on their way", order.length === 0);
    api.unmap(segments);
    order.push("unmapped");
    see("all arrive first", order.length === 5 && order[4] === "unmapped");
    const late = pages.filter((page) => machine.post(device, page, "write"));
    see(`${late.length} of 4 later ones are let through`, late.length === 0);
  },
};
