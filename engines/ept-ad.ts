/** EPT with A/D bits, dirty pages found by scanning them. See `dirty/accessed-dirty.ts`. */
import { accessedDirtyScan } from "../hypervisor/dirty/accessed-dirty.ts";
import { dirtyTracker } from "../hypervisor/dirty/compose.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { createNested } from "./ept.ts";

export const eptAd: Engine = {
  title: "EPT, dirty pages found by scanning D bits",
  family: "nested",
  placesTables: true,
  create: (platform, options) =>
    createNested(platform, {
      format: "ept",
      accessedDirty: true,
      tracker: dirtyTracker(platform, accessedDirtyScan, { options }),
    }),
};
