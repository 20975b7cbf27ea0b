/** NPT with dirty pages found by write protection: AMD has no log of silicon's own. See `dirty/write-protect.ts`. */
import { dirtyTracker } from "./dirty/compose.ts";
import { writeProtection } from "./dirty/write-protect.ts";
import { type EngineFactory, titled } from "./engine.ts";
import { createNested } from "./ept.ts";

export const nptWp: EngineFactory = titled(
  "NPT, dirty pages found by write protection",
  (machine) =>
    createNested(machine, {
      format: "npt",
      accessedDirty: true,
      tracker: dirtyTracker(machine, writeProtection),
    }),
);
