/**
 * Does an engine let its user choose how it keeps the dirty log? KVM's own, and engines without one, do not.
 *
 * Asked of the engine itself: it looks at what its user asks for, or it does not.
 */
import type { CreateEngine, EngineOptions } from "../../hypervisor/engine.ts";
import { fastMmu } from "../../machine/fast.ts";
import { Machine, type MachineOptions } from "../../machine/machine.ts";
import { presets } from "../../machine/presets.ts";

const smallest = {
  preset: presets.textbook,
  mmu: fastMmu,
  guestFrames: 512,
  vcpus: 1,
  seed: 1,
  backing: "4k",
  nestedLevels: 4,
  placement: "scatter",
  slotsMax: 64,
} as const satisfies MachineOptions;

export function takesDirtyLogOptions(create: CreateEngine): boolean {
  let isRead = false;
  // KVM's engines look at how the log is armed, and at nothing else of it.
  const dirtyLog: EngineOptions["dirtyLog"] = {
    get split() {
      isRead = true;
      return "first" as const;
    },
  };
  const options = { dirtyLog };
  create(new Machine(smallest), options);
  return isRead;
}
