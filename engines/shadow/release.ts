/**
 * A guest's table stops being shadowed, and so does what is shadowed for its sake alone.
 */
import { entriesPerTable, type Gfn } from "../../machine/address.ts";
import type { ShadowTable } from "./shadow-table.ts";
import type { ShadowTables } from "./tables.ts";

interface Release {
  /** Is the table shadowed as a root too? Then it stays. */
  readonly isRoot: (gfn: Gfn) => boolean;
  /** Told of each frame that a released table mapped. */
  readonly mapped: (gfn: Gfn) => void;
}

/** The table has no shadow any more, nor have those below it that nothing else leads to. */
export function release(tables: ShadowTables, gfn: Gfn, how: Release): void {
  const shadows = tables.set.of(gfn);
  const children = shadows.flatMap((table) => childrenOf(tables, table));
  for (const { frames } of shadows) {
    for (const frame of frames) if (frame >= 0) how.mapped(frame as Gfn);
  }
  tables.unshadow(gfn);
  for (const child of children) {
    const own = tables.set.of(child.gfn);
    const isFree = own.length > 0 && own.every(({ parents }) => parents.size === 0);
    if (isFree && !how.isRoot(child.gfn)) release(tables, child.gfn, how);
  }
}

function childrenOf(tables: ShadowTables, table: ShadowTable): ShadowTable[] {
  const children = new Set<ShadowTable>();
  for (let index = 0; index < entriesPerTable; index++) {
    const child = tables.set.childAt(table, index);
    if (child !== null && !child.isDirect) children.add(child);
  }
  return [...children];
}
