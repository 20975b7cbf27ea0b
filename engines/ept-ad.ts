/** EPT with A/D bits, dirty pages found by scanning them. See `dirty/accessed-dirty.ts`. */
import { accessedDirtyScan } from "./dirty/accessed-dirty.ts";
import { dirtyTracker } from "./dirty/compose.ts";
import { type EngineFactory, titled } from "./engine.ts";
import { createNested } from "./ept.ts";

export const eptAd: EngineFactory = titled("EPT, dirty pages found by scanning D bits", (machine) =>
  createNested(machine, {
    format: "ept",
    accessedDirty: true,
    tracker: dirtyTracker(machine, accessedDirtyScan),
  }),
);
