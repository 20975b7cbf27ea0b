/**
 * What the host does to a guest under nested paging: it takes frames, ages them, logs what is written.
 */
import { type Gfn, pagesPerEntry } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { DirtyTracker, LoggedTables } from "../../hypervisor/dirty/tracker.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import { type HostMemory, isMemoryEvent } from "../../hypervisor/memory/host-memory.ts";
import { type MmuNotifier, neighboursIn } from "../../hypervisor/memory/notifier.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import { allowedRanges, mayWrite } from "../../hypervisor/policy/police-host.ts";
import { balanceTables } from "../../hypervisor/tables/balance.ts";
import {
  findPlace,
  forEachLeaf,
  type RadixTree,
  splitLeaves,
  takeAccessed,
} from "../../hypervisor/tables/radix.ts";
import type { NodeControls } from "./node-controls.ts";
import type { NestedOn, NestedScheme } from "./scheme.ts";

interface NestedParts {
  readonly platform: Platform;
  readonly scheme: NestedScheme;
  readonly tree: RadixTree;
  readonly memory: HostMemory;
  readonly tracker: DirtyTracker;
  readonly tables: LoggedTables;
  readonly byNode: NodeControls;
  /** Who pays for what is done now. */
  readonly ledger: () => Ledger;
  readonly flush: () => void;
}

export function nestedHost(parts: NestedParts): Pick<NestedOn, "notifier" | "dropFrames"> & {
  readonly host: (event: HostEvent) => readonly Gfn[];
} {
  const { platform, scheme, tree, memory, tracker, tables, byNode, ledger, flush } = parts;
  const { vcpus, nodes } = platform;
  const { accessedDirty, policy } = scheme;
  const bytes = tree.memory;
  const { link: present, accessed: accessedBit } = tree.format;

  function unmap(start: Gfn, frames: number): void {
    dropFrames(start, frames);
    flush();
  }

  /** The host's page may be split by what it does next, so a large leaf goes as a whole, as in KVM. */
  function dropFrames(start: Gfn, frames: number): void {
    forEachLeaf(tree, start, frames, ({ table, index, level }, page) => {
      const large = { first: page, frames: pagesPerEntry(level) };
      if (level > 1) ledger().neighboursUnmapped += neighboursIn(large, { start, frames });
      // A logged page is mapped by 4 KiB.
      else tracker.unmapping(page as Gfn);
      bytes.write(table, index, 0, 0);
      ledger().entriesDropped += 1;
    });
  }

  /** Without A bits the leaf goes, and its next use exits: what KVM's access tracking does. */
  function age(gfn: Gfn): boolean {
    const place = findPlace(tree, gfn);
    if ((bytes.readLow(place.table, place.index) & present) === 0) return false;
    if (accessedDirty) return takeAccessed(bytes, [place], accessedBit);
    bytes.write(place.table, place.index, 0, 0);
    ledger().entriesDropped += 1;
    return true;
  }

  function reclaim(start: Gfn, frames: number): void {
    for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) {
      tracker.unmapping(gfn);
      splitLeaves(tree, { start: gfn, pages: 1 }, () => undefined);
      const place = findPlace(tree, gfn);
      if ((bytes.readLow(place.table, place.index) & present) !== 0) {
        bytes.write(place.table, place.index, 0, 0);
        ledger().entriesDropped += 1;
      }
      memory.reclaim(gfn);
    }
    flush();
  }

  function host(event: HostEvent): readonly Gfn[] {
    if (isMemoryEvent(event)) {
      if (mayWrite(policy ?? null, event)) memory.answer(event);
      return [];
    }
    switch (event.kind) {
      case "dirty-log-on":
        tracker.start(tables, event);
        return [];
      case "dirty-log-off":
        tracker.stop(event.only);
        return [];
      case "dirty-log-clear":
        tracker.clear(event);
        return [];
      case "reclaim":
        for (const part of allowedRanges(policy ?? null, event)) reclaim(part.start, part.frames);
        return [];
      case "vcpu-run":
        if (nodes?.hypervisorTables === "replicated") byNode.load(vcpus[event.vcpu]!);
        return [];
      case "balance-tables":
        if (nodes?.hypervisorTables === "migrated" && balanceTables(tree, nodes.count) > 0) flush();
        return [];
      case "dirty-log-get": {
        const report = tracker.collect();
        ledger().dirtyPagesReported += report.length;
        return report;
      }
    }
  }

  const notifier: MmuNotifier = { unmap, age, flush, slotDeleted: () => undefined };
  return { notifier, host, dropFrames };
}
