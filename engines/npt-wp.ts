/** NPT with dirty pages found by write protection: AMD has no log of silicon's own. See `dirty/write-protect.ts`. */
import { dirtyTracker } from "../hypervisor/dirty/compose.ts";
import { writeProtection } from "../hypervisor/dirty/write-protect.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { createNested } from "./ept.ts";

export const nptWp: Engine = {
  title: "NPT, dirty pages found by write protection",
  family: "nested",
  placesTables: true,
  create: (platform, options) =>
    createNested(platform, {
      format: "npt",
      accessedDirty: true,
      tracker: dirtyTracker(platform, writeProtection, { options }),
    }),
};
