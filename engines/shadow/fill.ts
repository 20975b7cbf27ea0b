/**
 * What a hidden fault brings into the shadow: the path of a software walk, down to its leaf.
 */
import { type Gfn, indexAt, pagesPerEntry, type Vpn } from "../../machine/address.ts";
import { userPage } from "../../machine/formats/x86-entry.ts";
import type { GuestWalk } from "../../hypervisor/guest-walk.ts";
import type { ShadowTable } from "./shadow-table.ts";
import type { ShadowTables } from "./tables.ts";

/** Mirrors what `walk` read for `vpn` from `root` on. */
export function fillPath(
  tables: ShadowTables,
  root: ShadowTable,
  { vpn, walk }: { readonly vpn: Vpn; readonly walk: GuestWalk },
): void {
  let table = root;
  for (let level = root.level; level >= walk.level; level--) {
    const index = indexAt(vpn, level);
    // A new A or D bit may widen what an entry allows, and a store of the host's is seen only now.
    tables.mirror(table, index);
    const child = tables.set.childAt(table, index);
    if (child === null) return;
    if (child.isDirect) {
      fillDirect(tables, child, walk.gfn);
      return;
    }
    table = child;
  }
}

/** Fills the entry of a direct table that maps `gfn`, going down to its leaf. */
function fillDirect(tables: ShadowTables, table: ShadowTable, gfn: Gfn): void {
  const span = pagesPerEntry(table.level);
  const index = Math.floor((gfn - table.gfn) / span);
  const first = (table.gfn + index * span) as Gfn;
  if (table.level === 1) {
    tables.setLeaf(table, index, first, userPage);
    return;
  }
  if (tables.set.childAt(table, index) === null) tables.setLarge(table, index, first, userPage);
  const child = tables.set.childAt(table, index);
  if (child !== null) fillDirect(tables, child, gfn);
}
