/**
 * EPT with guarded tables: rules on pages hold although silicon walks the guest's own tables. See `guard/table-guard.ts`.
 *
 * EPT's A and D bits stay off: with them on, every walk through a protected table counts as a store to it.
 */
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { MemoryPolicy } from "../hypervisor/policy/memory-policy.ts";
import { createNested } from "./ept.ts";
import { type GuardOptions, tableGuard } from "./guard/table-guard.ts";

export function guardedEpt(title: string, options: GuardOptions): Engine {
  return {
    title,
    family: "nested",
    create: (platform, { policy = new MemoryPolicy() } = {}) =>
      createNested(platform, {
        format: "ept",
        accessedDirty: false,
        tracker: noTracker,
        policy,
        createGuard: tableGuard(options),
      }),
  };
}
