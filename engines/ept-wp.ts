/** EPT without A/D bits, dirty pages found by write protection: Intel before Haswell. See `dirty/write-protect.ts`. */
import type { DirtyLogOptions } from "../hypervisor/dirty/dirty-log-options.ts";
import { dirtyTracker } from "../hypervisor/dirty/compose.ts";
import { writeProtection } from "../hypervisor/dirty/write-protect.ts";
import type { CreateEngine, Engine } from "../hypervisor/engine.ts";
import { createNested } from "./ept.ts";

/** Write protection with the given policy, where the machine's options say nothing. */
export function createEptWp(own: Partial<DirtyLogOptions>): CreateEngine {
  return (platform, options) =>
    createNested(platform, {
      format: "ept",
      accessedDirty: false,
      tracker: dirtyTracker(platform, writeProtection, { options, own }),
    });
}

export const eptWp: Engine = {
  title: "EPT without A/D bits, dirty pages found by write protection",
  family: "nested",
  placesTables: true,
  create: createEptWp({}),
};
