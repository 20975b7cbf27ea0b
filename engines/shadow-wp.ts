/** Trap-on-write shadow paging with dirty pages found by write protection. See `dirty/write-protect.ts`. */
import { dirtyTracker } from "../hypervisor/dirty/compose.ts";
import { writeProtection } from "../hypervisor/dirty/write-protect.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { createShadow } from "./shadow.ts";

export const shadowWp: Engine = {
  title: "trap-on-write shadow paging, dirty pages found by write protection",
  family: "shadow",
  create: (platform, options) =>
    createShadow(platform, dirtyTracker(platform, writeProtection, { options })),
};
