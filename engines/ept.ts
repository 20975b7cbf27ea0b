/**
 * EPT (Intel): silicon composes the guest's tables with the hypervisor's.
 *
 * Buys: PTE stores, INVLPG and CR3 writes run without a VM exit. Pays: a TLB miss walks in two dimensions, up
 * to 24 references at 4-on-4 levels, and each guest frame's first use exits once.
 *
 * Source: SDM vol. 3C 29.3 "The Extended Page Table Mechanism (EPT)"; KVM `kvm_tdp_page_fault`.
 */
import type { Gfn } from "../machine/address.ts";
import { A, D, EPT_A, EPT_D, PS, W } from "../machine/entry.ts";
import type { Controls, HostEvent, NestedPaging, VmExit } from "../machine/exit.ts";
import type { Hypervisor, VirtualCpu } from "../machine/hypervisor.ts";
import type { Machine } from "../machine/machine.ts";
import { nestedControls } from "./controls.ts";
import type { DirtyTracker, LoggedTables } from "./dirty/tracker.ts";
import { noTracker } from "./dirty/tracker.ts";
import type { EngineFactory } from "./engine.ts";
import { createHostMemory } from "./host-memory.ts";
import { neighboursIn } from "./host/notifier.ts";
import {
  findPlace,
  forEachLeaf,
  makePlace,
  type RadixTree,
  splitLeaf,
  takeAccessed,
} from "./radix.ts";

/** Read, write, execute in EPT; present, write, user in NPT: the same three bits. */
const allRights = 7;
/** EPT memory type write-back, bits 5:3; in NPT these bits would disable caching. */
const writeBack = 6 << 3;

export interface NestedScheme {
  readonly format: NestedPaging["format"];
  /** Does silicon set A and D in nested entries? Always, with `npt`. */
  readonly accessedDirty: boolean;
  readonly tracker: DirtyTracker;
}

/** Every nested-paging engine: EPT or NPT entries, with a dirty tracker. */
export function createNested(
  machine: Machine,
  { format, accessedDirty, tracker }: NestedScheme,
): Hypervisor {
  const { memory: bytes, vcpus, options } = machine;
  const memory = createHostMemory(machine);
  const tree: RadixTree = {
    memory: bytes,
    root: bytes.allocateTable(),
    levels: options.nestedLevels,
  };
  const nested: NestedPaging = { root: tree.root, levels: tree.levels, format, accessedDirty };
  const controls = nestedControls(nested, options.preset.vpid);
  const leafFlags = format === "ept" ? allRights | writeBack : allRights;
  const accessedBit = format === "ept" ? EPT_A : A;
  const dirtyBit = format === "ept" ? EPT_D : D;

  function setFlags(gfn: Gfn, change: (low: number) => number): boolean {
    const { table, index } = findPlace(tree, gfn);
    const low = bytes.readLow(table, index);
    const changed = change(low);
    if (changed === low || (low & allRights) === 0) return false;
    bytes.write(table, index, changed, bytes.readHigh(table, index));
    return true;
  }

  /** The first use of a guest frame: the host provides it, the leaf maps it. */
  function map(gfn: Gfn, isWrite: boolean, vcpu: VirtualCpu): void {
    const pfn = memory.touch(gfn);
    const isWritable = isWrite || tracker.mayMapWritable(gfn);
    const flags = isWritable && memory.isWritable(gfn) ? leafFlags : leafFlags & ~W;
    vcpu.ledger.entriesFilled += 1;
    if (memory.orderOf(gfn) === 9 && !tracker.isLogged(gfn)) {
      const first = gfn - (gfn % 512);
      const place = makePlace(tree, first, 2);
      // A split 2 MiB page has a table there already and is filled page by page.
      if (bytes.readLow(place.table, place.index) === 0) {
        bytes.writeEntry(place.table, place.index, memory.touch(first as Gfn), flags | PS);
        return;
      }
    }
    const place = makePlace(tree, gfn, 1);
    bytes.writeEntry(place.table, place.index, pfn, flags);
  }

  function violation(exit: Extract<VmExit, { reason: "ept-violation" }>, vcpu: VirtualCpu): void {
    const { gfn } = exit;
    const isWrite = exit.access === "write";
    memory.check(gfn, exit.vpn);
    if (isWrite) memory.makeWritable(gfn);
    const { table, index } = findPlace(tree, gfn);
    const isMapped = (bytes.readLow(table, index) & allRights) !== 0;
    if (isWrite) tracker.wrote(gfn);
    if (isMapped) setFlags(gfn, (low) => low | W);
    else map(gfn, isWrite, vcpu);
    vcpu.ledger.faultsFixed += 1;
  }

  const tables: LoggedTables = {
    vcpus,
    forEachMapped(start, frames, visit) {
      forEachLeaf(tree, start, frames, (place, page) => {
        const span = place.level === 1 ? 1 : 512;
        for (let gfn = Math.max(page, start); gfn < Math.min(page + span, start + frames); gfn++) {
          visit(gfn as Gfn);
        }
      });
    },
    writeProtect(gfn) {
      if (setFlags(gfn, (low) => low & ~W)) firstLedger().entriesWriteProtected += 1;
    },
    clearDirty: (gfn) => setFlags(gfn, (low) => low & ~dirtyBit),
    splitHuge(start, frames) {
      forEachLeaf(tree, start, frames, (place) => {
        if (place.level !== 2) return;
        splitLeaf(tree, place);
        firstLedger().hugePagesSplit += 1;
      });
    },
    flush,
    setPml(buffers) {
      for (const vcpu of vcpus) vcpu.setControls(withPml(controls, buffers?.get(vcpu.id)));
    },
  };

  function firstLedger(): VirtualCpu["ledger"] {
    return vcpus[0]!.ledger;
  }

  function flush(): void {
    for (const vcpu of vcpus) vcpu.mmu.flushNested();
    firstLedger().remoteFlushes += vcpus.length - 1;
  }

  /** The host's page may be split by what it does next, so a 2 MiB leaf goes as a whole, as in KVM. */
  function unmap(start: Gfn, frames: number): void {
    const ledger = firstLedger();
    forEachLeaf(tree, start, frames, ({ table, index, level }, page) => {
      const low = bytes.readLow(table, index);
      if (level === 2) ledger.neighboursUnmapped += neighboursIn(page, start, frames);
      // What an A/D scan would have read there. A logged page is mapped by 4 KiB.
      if ((low & dirtyBit) !== 0) tracker.wrote(page as Gfn);
      bytes.write(table, index, 0, 0);
      ledger.entriesDropped += 1;
    });
    flush();
  }

  /** Without A bits the leaf goes, and its next use exits: what KVM's access tracking does. */
  function age(gfn: Gfn): boolean {
    const place = findPlace(tree, gfn);
    if ((bytes.readLow(place.table, place.index) & allRights) === 0) return false;
    if (accessedDirty) return takeAccessed(bytes, [place], accessedBit);
    bytes.write(place.table, place.index, 0, 0);
    firstLedger().entriesDropped += 1;
    return true;
  }

  function reclaim(start: Gfn, frames: number): void {
    for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) {
      const found = findPlace(tree, gfn);
      if (found.level === 2 && (bytes.readLow(found.table, found.index) & allRights) !== 0) {
        splitLeaf(tree, found);
      }
      const place = findPlace(tree, gfn);
      if (place.level === 1) bytes.write(place.table, place.index, 0, 0);
      memory.reclaim(gfn);
    }
    flush();
  }

  memory.attach({ unmap, age, flush });
  return {
    memory,
    boot(vcpu, cr3) {
      vcpu.setControls(controls);
      vcpu.setHardwareRoot(cr3.root, cr3.pcid);
    },
    exit(exit, vcpu) {
      memory.balance();
      tracker.exited(vcpu);
      if (exit.reason === "ept-violation") violation(exit, vcpu);
      return "resume";
    },
    host(event: HostEvent) {
      switch (event.kind) {
        case "dirty-log-on":
          tracker.start(tables, event.start, event.frames);
          return [];
        case "dirty-log-off":
          tracker.stop();
          return [];
        case "reclaim":
          reclaim(event.start, event.frames);
          return [];
        case "evict":
        case "snapshot":
        case "snapshot-drop":
        case "merge":
        case "memory-limit":
          memory.answer(event);
          return [];
        case "vcpu-run":
          return [];
        case "dirty-log-get": {
          const report = tracker.collect();
          firstLedger().dirtyPagesReported += report.length;
          return report;
        }
      }
    },
  };
}

function withPml(controls: Controls, buffer: Controls["pml"] | undefined): Controls {
  return { ...controls, pml: buffer ?? null };
}

export const ept: EngineFactory = (machine) =>
  createNested(machine, { format: "ept", accessedDirty: true, tracker: noTracker() });
