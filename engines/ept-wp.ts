/** EPT without A/D bits, dirty pages found by write protection: Intel before Haswell. See `dirty/write-protect.ts`. */
import { writeProtectTracker } from "./dirty/write-protect.ts";
import type { EngineFactory } from "./engine.ts";
import { createNested } from "./ept.ts";

export const eptWp: EngineFactory = (machine) =>
  createNested(machine, { format: "ept", accessedDirty: false, tracker: writeProtectTracker() });
