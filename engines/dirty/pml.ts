/**
 * Page-modification logging: silicon appends the GPA of each page whose D bit it sets to a 512-entry buffer.
 *
 * Buys: at most one exit per 512 dirtied pages, and none when other exits drain the buffer first. Pays: D bits
 * must be cleared and flushed after each question, and a guest table that the walker marks is logged too.
 *
 * Source: SDM vol. 3C 29.3.6 "Page-Modification Logging"; KVM `vmx_flush_pml_buffer` (drains at every exit).
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import { entriesPerTable } from "../../machine/address.ts";
import { frameOf } from "../../machine/entry.ts";
import type { VirtualCpu } from "../../machine/hypervisor.ts";
import type { PhysicalMemory } from "../../machine/memory.ts";
import type { DirtyTracker, LoggedTables } from "./tracker.ts";

export function pmlTracker(memory: PhysicalMemory): DirtyTracker {
  let tables: LoggedTables | null = null;
  let first = 0;
  let end = 0;
  const dirty = new Set<Gfn>();
  const buffers = new Map<number, Pfn>();

  /** Empties a vCPU's buffer into the set. Entries above the index are filled. */
  function drain({ id, mmu, ledger }: VirtualCpu): void {
    const buffer = buffers.get(id);
    if (tables === null || buffer === undefined) return;
    const index = mmu.pmlIndex();
    if (index === entriesPerTable - 1) return;
    ledger.pmlDrains += 1;
    for (let at = index + 1; at < entriesPerTable; at++) {
      const gfn = frameOf(memory.readLow(buffer, at), memory.readHigh(buffer, at)) as Gfn;
      if (gfn >= first && gfn < end) dirty.add(gfn);
    }
    mmu.resetPml();
  }

  return {
    start(logged, start, frames) {
      tables = logged;
      first = start;
      end = start + frames;
      dirty.clear();
      logged.splitHuge(start, frames);
      logged.forEachMapped(start, frames, (gfn) => logged.clearDirty(gfn));
      for (const { id, mmu } of logged.vcpus) {
        if (!buffers.has(id)) buffers.set(id, memory.allocateTable());
        mmu.resetPml();
      }
      logged.setPml(buffers);
      logged.flush();
    },
    stop() {
      if (tables === null) return;
      for (const vcpu of tables.vcpus) drain(vcpu);
      tables.setPml(null);
      tables = null;
    },
    collect() {
      if (tables === null) return [];
      for (const vcpu of tables.vcpus) drain(vcpu);
      const report = [...dirty].sort((a, b) => a - b);
      dirty.clear();
      for (const gfn of report) tables.clearDirty(gfn);
      if (report.length > 0) tables.flush();
      return report;
    },
    isLogged: (gfn) => tables !== null && gfn >= first && gfn < end,
    mayMapWritable: () => true,
    wrote() {},
    exited: drain,
  };
}
