/** EPT with page-modification logging: the hypervisor asks a buffer, not the tables. See `dirty/pml.ts`. */
import { pmlTracker } from "./dirty/pml.ts";
import type { EngineFactory } from "./engine.ts";
import { createNested } from "./ept.ts";

export const eptPml: EngineFactory = (machine) =>
  createNested(machine, {
    format: "ept",
    accessedDirty: true,
    tracker: pmlTracker(machine.memory),
  });
