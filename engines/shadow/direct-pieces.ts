/**
 * The pieces of a large guest page on smaller host pages: tables without a guest twin, which a large leaf may replace.
 */
import type { Gfn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { ShadowTable } from "./shadow-table.ts";
import { firstIn } from "./table-regions.ts";
import type { ShadowTables } from "./tables.ts";

/** The pieces go where a larger leaf may come back: all that one around `gfn` would map. */
export function dropPieces(tables: ShadowTables, gfn: Gfn, ledger: Ledger): void {
  for (const level of [3, 2]) {
    const table = tables.piecesOf(firstIn(gfn, level), level);
    if (table === null) continue;
    forgetPieces(tables, table);
    ledger.hugePagesCollapsed += 1;
    tables.flushNeeded = true;
  }
}

function forgetPieces(tables: ShadowTables, table: ShadowTable): void {
  const children = Array.from({ length: 512 }, (_, index) => tables.set.childAt(table, index));
  for (const { above, index } of tables.set.entriesAt(table.parents)) tables.drop(above, index);
  tables.forget(table);
  // Others may map the same 2 MiB by themselves.
  for (const child of children) if (child?.parents.size === 0) forgetPieces(tables, child);
}
