/**
 * Shadow tables as a dirty tracker sees them: several leaves may map a frame, found by the reverse map.
 */
import type { Gfn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { FrameRange } from "../../hypervisor/dirty/frame-ranges.ts";
import type { LoggedTables } from "../../hypervisor/dirty/tracker.ts";
import { dropPieces } from "./direct-pieces.ts";
import type { ShadowTables } from "./tables.ts";

interface LoggedParts {
  readonly vcpus: readonly VirtualCpu[];
  readonly tables: ShadowTables;
  /** Drops what every vCPU has cached, now. */
  readonly flush: () => void;
  readonly ledger: () => Ledger;
}

export function loggedShadow({ vcpus, tables, flush, ledger }: LoggedParts): LoggedTables {
  return {
    vcpus,
    forEachSmall: (range, visit) => tables.leaves.forEachSmall(range, visit),
    writeProtect: (gfn) => tables.writeProtect(gfn),
    // Shadow leaves have D set from the start: silicon has nothing to note.
    isDirty: () => false,
    clearDirty() {},
    isHuge: (gfn) => tables.leaves.isLarge(gfn),
    // A large leaf that goes comes back in 4 KiB pieces, as long as its frames are logged.
    splitHuge: (range) => eachHuge(range, (first) => tables.dropHuge(first)),
    protectHuge: (range) => eachHuge(range, (first) => tables.protectHuge(first)),
    collapse(range, how) {
      // A shadow leaf is made by a fault and never before, so "at once" is the next fault too.
      if (how !== "never") eachHuge(range, (first) => dropPieces(tables, first, ledger()));
    },
    flush,
    setPml() {},
  };
}

/** Calls `visit` with the first frame of every 2 MiB that the range touches. */
function eachHuge({ start, frames }: FrameRange, visit: (first: Gfn) => void): void {
  for (let gfn = start - (start % 512); gfn < start + frames; gfn += 512) visit(gfn as Gfn);
}
