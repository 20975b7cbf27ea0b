/** EPT with page-modification logging: the hypervisor asks a buffer, not the tables. See `dirty/pml.ts`. */
import type { DirtyLogOptions } from "../hypervisor/dirty/dirty-log-options.ts";
import { dirtyTracker } from "../hypervisor/dirty/compose.ts";
import { pageModificationLog } from "../hypervisor/dirty/pml.ts";
import type { CreateEngine, Engine } from "../hypervisor/engine.ts";
import { createNested } from "./ept.ts";

/** PML with the given policy, where the machine's options say nothing. */
export function createEptPml(own: Partial<DirtyLogOptions>): CreateEngine {
  return (platform, options) =>
    createNested(platform, {
      format: "ept",
      accessedDirty: true,
      tracker: dirtyTracker(platform, pageModificationLog(platform.memory), { options, own }),
    });
}

export const eptPml: Engine = {
  title: "EPT, dirty pages logged by silicon (PML), large pages split at once",
  family: "nested",
  placesTables: true,
  create: createEptPml({}),
};
