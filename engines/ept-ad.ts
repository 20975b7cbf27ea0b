/** EPT with A/D bits, dirty pages found by scanning them. See `dirty/accessed-dirty.ts`. */
import { accessedDirtyScan } from "./dirty/accessed-dirty.ts";
import { dirtyTracker } from "./dirty/compose.ts";
import type { EngineFactory } from "./engine.ts";
import { createNested } from "./ept.ts";

export const eptAd: EngineFactory = (machine) =>
  createNested(machine, {
    format: "ept",
    accessedDirty: true,
    tracker: dirtyTracker(machine, accessedDirtyScan),
  });
