/**
 * What the host does to a VM whose nested tables the TDP MMU keeps.
 *
 * Source: KVM API document; rules 10 to 12 and 17 of results/groundtruth, P8 to P10 of results/groundtruth/intel.
 */
import type { Gfn } from "../../machine/address.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import { isMemoryEvent } from "../../hypervisor/memory/host-memory.ts";
import type { TdpTables } from "./tdp-tables.ts";

export function answerTdpHost(tables: TdpTables, event: HostEvent): readonly Gfn[] {
  if (isMemoryEvent(event)) {
    tables.memory.answer(event);
    return [];
  }
  switch (event.kind) {
    case "dirty-log-on":
      tables.dirtyLogOn(event);
      return [];
    case "dirty-log-get":
      return tables.dirtyLogGet();
    case "dirty-log-clear":
      tables.dirtyLogClear(event);
      return [];
    case "dirty-log-off":
      tables.dirtyLogOff(event.only);
      return [];
    case "reclaim":
      tables.reclaim(event);
      return [];
    case "vcpu-run":
    case "balance-tables":
      return [];
  }
}
