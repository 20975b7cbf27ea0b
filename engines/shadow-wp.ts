/** Trap-on-write shadow paging with dirty pages found by write protection. See `dirty/write-protect.ts`. */
import { dirtyTracker } from "./dirty/compose.ts";
import { writeProtection } from "./dirty/write-protect.ts";
import { type EngineFactory, titled } from "./engine.ts";
import { createShadow } from "./shadow.ts";

export const shadowWp: EngineFactory = titled(
  "trap-on-write shadow paging, dirty pages found by write protection",
  (machine) => createShadow(machine, dirtyTracker(machine, writeProtection)),
);
