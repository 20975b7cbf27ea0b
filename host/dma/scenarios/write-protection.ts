import { counted } from "../../../machine/counted-text.ts";
import { scatteredFrames, smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";

const pages = 16;

export const writeProtection: DmaScenario = {
  title:
    "Write protection: each store of the guest into its IO tables exits; caching mode waits for the invalidation",
  run(see) {
    for (const [scheme, exits] of [
      ["shadow-wp", pages],
      ["shadow-cm", 1],
    ] as const) {
      const { api, cost, machine, device } = smallMachine(scheme);
      // Upper tables are there already.
      api.unmap(api.map(scatteredFrames(pages), "read-write"));
      let segments: ReturnType<typeof api.map> = [];
      const map = cost(() => (segments = api.map(scatteredFrames(pages), "read-write")));
      see(`${scheme}: ${counted(map.exits, "exit")} to map ${pages} pages`, map.exits === exits);
      const page = segments[0]?.page ?? 0;
      const isMapped = machine.access(device, page, "write") === machine.pages.place(4096);
      see(`${scheme}: the device reaches the first of them`, isMapped);
    }
  },
};
