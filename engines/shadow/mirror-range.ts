/** What the host has changed without a store, in frames that may be tables. */
import type { Gfn } from "../../machine/address.ts";
import type { ShadowTables } from "./tables.ts";

/** All shadows of the frames say what these say now. */
export function mirrorRange(tables: ShadowTables, start: Gfn, frames: number): void {
  for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) {
    for (const table of tables.set.of(gfn)) {
      tables.mirrorAll(table);
      tables.flushNeeded = true;
    }
  }
}
