import { scatteredFrames, smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";

export const hiddenPages: DmaScenario = {
  title: "Hidden pages: gone for the guest's driver, and still where a device in flight can write",
  run(see) {
    const { machine, api, device } = smallMachine("optimistic");
    const segments = api.map(scatteredFrames(1), "read-write");
    const page = segments[0]?.page ?? 0;
    api.unmap(segments);
    const reached = machine.access(device, page, "write");
    // Pinned and mapped, so nothing else has come there.
    see(
      "after the unmapping the device reaches the same frame",
      reached === machine.pages.place(4096),
    );
    see("which stays pinned", machine.pages.isPinned(4096));
    machine.clock.advance(10_000);
    see("10 ms later the device is refused", machine.access(device, page, "write") === null);
    see("and nothing is pinned", !machine.pages.isPinned(4096));
  },
};
