/** Trap-on-write shadow paging with dirty pages found by write protection. See `dirty/write-protect.ts`. */
import { dirtyTracker } from "./dirty/compose.ts";
import { writeProtection } from "./dirty/write-protect.ts";
import type { EngineFactory } from "./engine.ts";
import { createShadow } from "./shadow.ts";

export const shadowWp: EngineFactory = (machine) =>
  createShadow(machine, dirtyTracker(machine, writeProtection));
