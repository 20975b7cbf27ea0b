/** EPT with page-modification logging: the hypervisor asks a buffer, not the tables. See `dirty/pml.ts`. */
import type { DirtyLogOptions } from "../machine/dirty-log-options.ts";
import { dirtyTracker } from "./dirty/compose.ts";
import { pageModificationLog } from "./dirty/pml.ts";
import { type EngineFactory, titled } from "./engine.ts";
import { createNested } from "./ept.ts";

/** PML with the given policy, where the machine's options say nothing. */
export function createEptPml(own: Partial<DirtyLogOptions>): EngineFactory {
  return (machine) =>
    createNested(machine, {
      format: "ept",
      accessedDirty: true,
      tracker: dirtyTracker(machine, pageModificationLog(machine.memory), own),
    });
}

export const eptPml: EngineFactory = titled(
  "EPT, dirty pages logged by silicon (PML), large pages split at once",
  createEptPml({}),
);
