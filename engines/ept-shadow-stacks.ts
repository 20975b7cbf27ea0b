/**
 * EPT with supervisor shadow-stack control: the hypervisor says which frames may hold return addresses of a guest's kernel.
 *
 * Buys: such a frame is read-only to every store but CALL's, by whatever name, and a page that leads elsewhere holds no
 * shadow stack: a remap faults at the next call or return. Pays: nothing beyond a lock on a frame.
 *
 * A user's shadow stacks are the guest's own affair: its tables say where they are.
 *
 * Model: beside it no log of dirty pages, and EPT's A and D bits are off. Bias: none.
 *
 * Source: SDM vol. 3C 25.6.11, 29.3.3.2 "EPT Violations"; vol. 1 17 "Control-flow Enforcement Technology".
 */
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { MemoryPolicy } from "../hypervisor/policy/memory-policy.ts";
import { createNested } from "./ept.ts";

export const eptShadowStacks: Engine = {
  title: "EPT with supervisor shadow-stack control",
  family: "nested",
  create: (platform, { policy = new MemoryPolicy() } = {}) =>
    createNested(platform, { format: "ept-sss", accessedDirty: false, tracker: noTracker, policy }),
};
