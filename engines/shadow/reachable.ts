/**
 * Can silicon come across a shadow of a guest table? If not, the guest may have freed it.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { ShadowTable } from "./shadow-table.ts";
import type { ShadowTables } from "./tables.ts";

/** Is some shadow of `gfn` below one of these roots? */
export function isReachable(tables: ShadowTables, gfn: Gfn, roots: ReadonlySet<Pfn>): boolean {
  const seen = new Set<ShadowTable>();
  const pending = [...tables.set.of(gfn)];
  for (let table = pending.pop(); table !== undefined; table = pending.pop()) {
    if (roots.has(table.pfn)) return true;
    if (seen.has(table)) continue;
    seen.add(table);
    for (const { above } of tables.set.entriesAt(table.parents)) pending.push(above);
  }
  return false;
}
