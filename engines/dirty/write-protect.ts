/**
 * Write protection: every logged page is read-only until its first write, which exits.
 *
 * Buys: works on any hardware. Pays: one exit per dirtied page and round, and read-only leaves afterwards.
 *
 * Source: KVM `kvm_mmu_slot_apply_write_access`, `kvm_arch_mmu_enable_log_dirty_pt_masked`.
 */
import type { Gfn } from "../../machine/address.ts";
import type { LoggedTables, TrackerFactory } from "./tracker.ts";

export const writeProtectTracker: TrackerFactory = () => {
  let tables: LoggedTables | null = null;
  let first = 0;
  let end = 0;
  const dirty = new Set<Gfn>();
  const isLogged = (gfn: Gfn): boolean => tables !== null && gfn >= first && gfn < end;

  return {
    start(logged, start, frames) {
      tables = logged;
      first = start;
      end = start + frames;
      dirty.clear();
      logged.splitHuge(start, frames);
      logged.forEachMapped(start, frames, (gfn) => logged.writeProtect(gfn));
      logged.flush();
    },
    // Leaves stay read-only; each costs one more exit at its next write.
    stop() {
      tables = null;
    },
    collect() {
      const report = [...dirty].sort((a, b) => a - b);
      dirty.clear();
      if (tables === null || report.length === 0) return report;
      for (const gfn of report) tables.writeProtect(gfn);
      tables.flush();
      return report;
    },
    isLogged,
    mayMapWritable: (gfn) => !isLogged(gfn) || dirty.has(gfn),
    wrote(gfn) {
      if (isLogged(gfn)) dirty.add(gfn);
    },
    exited() {},
  };
};
