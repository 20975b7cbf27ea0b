/** Trap-on-write shadow paging with dirty pages found by write protection. See `dirty/write-protect.ts`. */
import { writeProtectTracker } from "./dirty/write-protect.ts";
import type { EngineFactory } from "./engine.ts";
import { createShadow } from "./shadow.ts";

export const shadowWp: EngineFactory = (machine) => createShadow(machine, writeProtectTracker());
