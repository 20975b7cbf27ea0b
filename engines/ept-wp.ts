/** EPT without A/D bits, dirty pages found by write protection: Intel before Haswell. See `dirty/write-protect.ts`. */
import type { DirtyLogOptions } from "../machine/dirty-log-options.ts";
import { dirtyTracker } from "./dirty/compose.ts";
import { writeProtection } from "./dirty/write-protect.ts";
import { type EngineFactory, titled } from "./engine.ts";
import { createNested } from "./ept.ts";

/** Write protection with the given policy, where the machine's options say nothing. */
export function createEptWp(own: Partial<DirtyLogOptions>): EngineFactory {
  return (machine) =>
    createNested(machine, {
      format: "ept",
      accessedDirty: false,
      tracker: dirtyTracker(machine, writeProtection, own),
    });
}

export const eptWp: EngineFactory = titled(
  "EPT without A/D bits, dirty pages found by write protection",
  createEptWp({}),
);
