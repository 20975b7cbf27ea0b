/**
 * Control fields as the engines set them: bare metal's, changed by spreading.
 */
import { assert } from "../machine/assert.ts";
import { bareMetalControls, type Controls } from "../machine/controls.ts";
import type { VmExit } from "../machine/exits.ts";
import type { Registers } from "../machine/registers.ts";
import { oneStage } from "../machine/stages.ts";

/** Nested paging: the guest owns its tables, faults and flushes. */
export function nestedControls(stages: Controls["stages"], vpid: boolean): Controls {
  return { ...bareMetalControls, virtualized: true, stages, vpid };
}

/**
 * Shadow paging: every instruction that changes what a translation means exits.
 * `walk` is the paging mode of the shadow tables; WP stays set, or write protection would not hold.
 */
export function shadowControls(walk: Registers, vpid: boolean): Controls {
  return {
    virtualized: true,
    stages: oneStage,
    walk,
    exitOnPageFault: true,
    deliversSwitchedFaults: false,
    exitOnCr3Write: true,
    // Its roots are not the guest's, so no value of the guest's may be loaded as it is.
    cr3Targets: [],
    exitOnCr3Read: true,
    exitOnInvlpg: true,
    exitOnInvpcid: true,
    exitOnCr0Write: true,
    exitOnCr4Write: true,
    exitOnIret: false,
    deprivileged: false,
    vpid,
    eptpList: null,
    pml: null,
  };
}

/** An exit that the engine's controls do not ask for: silicon or the controls are wrong. */
export function unaskedExit(engine: string, { reason }: VmExit): never {
  assert(false, `${engine}: ${reason} exit, which its controls do not ask for`);
}
