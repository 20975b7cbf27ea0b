/**
 * EPT with tables of the hypervisor's for locked pages, which silicon walks first (HLAT). See `guard/pinned-pages.ts`.
 */
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { MemoryPolicy } from "../hypervisor/policy/memory-policy.ts";
import { createNested } from "./ept.ts";
import { type PinOptions, pinnedPages } from "./guard/pinned-pages.ts";

export function eptHlat(options: PinOptions): Engine {
  return {
    title: "EPT, locked pages by HLAT",
    family: "nested",
    create: (platform, { policy = new MemoryPolicy() } = {}) =>
      createNested(platform, {
        format: options.verifies === true ? "ept-pw" : "ept",
        accessedDirty: false,
        tracker: noTracker,
        policy,
        createGuard: pinnedPages(options),
      }),
  };
}
