import { scatteredFrames, smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";

const pages = 16;

export const lazyConstruction: DmaScenario = {
  title:
    "Lazy construction: mapped and pinned when the device asks (page requests), not when the guest maps",
  run(see) {
    const { machine, api, device, guest } = smallMachine("shadow-pri");
    const page = api.map(scatteredFrames(pages), "read-write")[0]?.page ?? 0;
    const { pinned } = machine.pages;
    see(`${pages} pages mapped: ${pinned} pinned`, pinned === 0);
    const reached = machine.access(device, page, "write");
    machine.access(device, page, "write");
    see("the device reaches one all the same", reached === machine.pages.place(4096));
    const { pageRequests } = guest.counts();
    see(`${pageRequests} page request for two writes`, pageRequests === 1);
    see(`${machine.pages.pinned} page pinned`, machine.pages.pinned === 1);
  },
};
