/**
 * EPT with guarded tables: rules on pages hold although silicon walks the guest's own tables. See `guard/table-guard.ts`.
 *
 * With paging-write control silicon sets A and D in guarded tables by itself: no exit for a bit that says nothing of where
 * a page leads.
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
        format: options.pagingWrite === true ? "ept-pw" : "ept",
        accessedDirty: false,
        tracker: noTracker,
        policy,
        createGuard: tableGuard(options),
      }),
  };
}
