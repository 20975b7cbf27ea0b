/**
 * Control fields as the engines set them: three starting points, changed by spreading.
 */
import type { Controls, NestedPaging, Registers } from "../machine/exit.ts";

/** Bare metal: nothing exits. */
export const bareMetalControls: Controls = {
  virtualized: false,
  nested: null,
  walk: null,
  exitOnPageFault: false,
  exitOnCr3Write: false,
  exitOnCr3Read: false,
  exitOnInvlpg: false,
  exitOnInvpcid: false,
  exitOnCr0Write: false,
  exitOnCr4Write: false,
  vpid: true,
  pml: null,
};

/** Nested paging: the guest owns its tables, faults and flushes. */
export function nestedControls(nested: NestedPaging, vpid: boolean): Controls {
  return { ...bareMetalControls, virtualized: true, nested, vpid };
}

/**
 * Shadow paging: every instruction that changes what a translation means exits.
 * `walk` is the paging mode of the shadow tables; WP stays set, or write protection would not hold.
 */
export function shadowControls(walk: Registers, vpid: boolean): Controls {
  return {
    virtualized: true,
    nested: null,
    walk,
    exitOnPageFault: true,
    exitOnCr3Write: true,
    exitOnCr3Read: true,
    exitOnInvlpg: true,
    exitOnInvpcid: true,
    exitOnCr0Write: true,
    exitOnCr4Write: true,
    vpid,
    pml: null,
  };
}
