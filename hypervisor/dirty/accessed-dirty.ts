/**
 * A/D-bit scan: silicon sets D in the nested leaves, the hypervisor looks through all of them when asked.
 *
 * Buys: no exit per written page. Pays: every question reads every leaf in the log, dirty or not, and the
 * cleared bits need a flush.
 *
 * Source: SDM vol. 3C 29.3.5 "Accessed and Dirty Flags for EPT".
 */
import type { WriteDetector } from "./write-detector.ts";

export const accessedDirtyScan: WriteDetector = {
  armsByProtection: false,
  pagesPerExitMax: 1,
  begin() {},
  end() {},
  arm: (tables, gfn) => tables.clearDirty(gfn),
  sync() {},
  scan(tables, ranges, mark) {
    let scanned = 0;
    for (const range of ranges) {
      tables.forEachSmall(range, (gfn) => {
        scanned += 1;
        if (tables.isDirty(gfn)) mark(gfn, null);
      });
    }
    const asker = tables.vcpus[0];
    if (asker !== undefined) asker.ledger.dirtyScanEntries += scanned;
  },
  exited() {},
  unmapping(tables, gfn, mark) {
    if (tables.isDirty(gfn)) mark(gfn, null);
  },
};
