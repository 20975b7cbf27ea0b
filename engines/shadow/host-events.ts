/**
 * What the host does to a guest under trap-on-write shadow paging.
 */
import type { Gfn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { DirtyTracker, LoggedTables } from "../../hypervisor/dirty/tracker.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import { type HostMemory, isMemoryEvent } from "../../hypervisor/memory/host-memory.ts";
import type { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import { allowedRanges, mayWrite } from "../../hypervisor/policy/police-host.ts";
import { mirrorRange } from "./mirror-range.ts";
import type { ShadowTables } from "./tables.ts";

export interface ShadowHostParts {
  readonly memory: HostMemory;
  readonly tracker: DirtyTracker;
  readonly logged: LoggedTables;
  readonly policy: MemoryPolicy | null;
  readonly ledger: () => Ledger;
  readonly reclaim: (start: Gfn, frames: number) => void;
  readonly tables: ShadowTables;
}

export function shadowHost(parts: ShadowHostParts): (event: HostEvent) => readonly Gfn[] {
  const { memory, tracker, logged, policy } = parts;
  return (event) => {
    if (isMemoryEvent(event)) {
      if (!mayWrite(policy, event)) return [];
      memory.answer(event);
      if (event.kind === "slot-create") mirrorRange(parts.tables, event.start, event.frames);
      return [];
    }
    switch (event.kind) {
      case "dirty-log-on":
        tracker.start(logged, event);
        return [];
      case "dirty-log-off":
        tracker.stop();
        return [];
      case "dirty-log-clear":
        tracker.clear(event);
        return [];
      case "dirty-log-get": {
        const report = tracker.collect();
        parts.ledger().dirtyPagesReported += report.length;
        return report;
      }
      case "reclaim":
        for (const { start, frames } of allowedRanges(policy, event)) parts.reclaim(start, frames);
        return [];
      case "vcpu-run":
      case "balance-tables":
        return [];
    }
  };
}
