import { counted } from "../../../machine/counted-text.ts";
import { scatteredFrames, smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";

const pages = 12;

export const busContinuity: DmaScenario = {
  title: "Bus continuity: scattered pages are one range for the device",
  run(see) {
    for (const [scheme, expected] of [
      ["shadow-cm", 1],
      ["pinned", pages],
    ] as const) {
      const { api } = smallMachine(scheme);
      const { length } = api.map(scatteredFrames(pages), "read");
      see(
        `${scheme}: ${pages} scattered pages are ${counted(length, "segment")}`,
        length === expected,
      );
    }
  },
};
