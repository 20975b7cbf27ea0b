/**
 * A/D-bit scan: silicon sets D in the nested leaves, the hypervisor looks through all of them when asked.
 *
 * Buys: no exit per written page. Pays: every question reads every leaf in the log, dirty or not, and the
 * cleared bits need a flush.
 *
 * Source: SDM vol. 3C 29.3.5 "Accessed and Dirty Flags for EPT".
 */
import type { Gfn } from "../../machine/address.ts";
import type { LoggedTables, TrackerFactory } from "./tracker.ts";

export const accessedDirtyTracker: TrackerFactory = () => {
  let tables: LoggedTables | null = null;
  let first = 0 as Gfn;
  let frames = 0;
  /** Pages whose leaf went with D set: no scan will find them. */
  const unmapped = new Set<Gfn>();
  const isLogged = (gfn: Gfn): boolean => tables !== null && gfn >= first && gfn < first + frames;

  return {
    start(logged, start, count) {
      tables = logged;
      first = start;
      frames = count;
      unmapped.clear();
      logged.splitHuge(start, count);
      logged.forEachMapped(start, count, (gfn) => logged.clearDirty(gfn));
      logged.flush();
    },
    stop() {
      tables = null;
    },
    collect() {
      const report: Gfn[] = [];
      if (tables === null) return report;
      const logged = tables;
      let scanned = 0;
      logged.forEachMapped(first, frames, (gfn) => {
        scanned += 1;
        if (!logged.clearDirty(gfn)) return;
        report.push(gfn);
        unmapped.delete(gfn);
      });
      const isFlushDue = report.length > 0;
      report.push(...unmapped);
      report.sort((a, b) => a - b);
      unmapped.clear();
      const asker = logged.vcpus[0];
      if (asker !== undefined) asker.ledger.dirtyScanEntries += scanned;
      if (isFlushDue) logged.flush();
      return report;
    },
    isLogged,
    mayMapWritable: () => true,
    wrote(gfn) {
      if (isLogged(gfn)) unmapped.add(gfn);
    },
    exited() {},
  };
};
