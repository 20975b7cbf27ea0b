/**
 * Can silicon come across a shadow of a guest table? If not, the guest may have freed it.
 */
import type { Gfn } from "../../machine/address.ts";
import type { ShadowTable } from "./shadow-table.ts";
import type { ShadowTables } from "./tables.ts";

/** Is some shadow of `gfn` a root, or below one? */
export function isReachable(
  tables: ShadowTables,
  gfn: Gfn,
  isRoot: (table: ShadowTable) => boolean,
): boolean {
  const seen = new Set<ShadowTable>();
  const pending = [...tables.set.of(gfn)];
  for (let table = pending.pop(); table !== undefined; table = pending.pop()) {
    if (isRoot(table)) return true;
    if (seen.has(table)) continue;
    seen.add(table);
    for (const { above } of tables.set.entriesAt(table.parents)) pending.push(above);
  }
  return false;
}
