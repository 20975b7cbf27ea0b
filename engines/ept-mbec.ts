/**
 * EPT with mode-based execute control: code in pages of the supervisor's has a right of its own.
 *
 * Buys: a rule about what the kernel may run costs no exit, where with one right for both modes each entry to the kernel
 * and each way back is one. Pays: nothing at a walk.
 *
 * Model: no SMEP, so the supervisor may run pages of the user's, which MBEC calls user fetches. Bias: none, no guest does.
 *
 * Source: SDM vol. 3C 25.6.2 "Secondary Processor-Based VM-Execution Controls"; Linux Heki, Windows HVCI.
 */
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { createNested } from "./ept.ts";

export const eptMbec: Engine = {
  title: "EPT with mode-based execute control",
  family: "nested",
  create: (platform, options) =>
    createNested(platform, {
      format: "ept-mbec",
      accessedDirty: true,
      tracker: noTracker,
      policy: options?.policy,
    }),
};
