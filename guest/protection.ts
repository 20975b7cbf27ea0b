/**
 * mprotect: rights of a region, brought into entries that exist.
 *
 * Source: Linux mm/mprotect.c (change_pte_range, can_change_pte_writable).
 */
import { entriesPerTable, pagesPerEntry } from "../machine/address.ts";
import {
  asLarge,
  frameOf,
  freshPage,
  highHalf,
  isLarge,
  lowHalf,
  marksOf,
  nxOf,
  withoutWrite,
} from "../machine/formats/x86-entry.ts";
import type { AddressSpace } from "./address-space.ts";
import type { FrameAllocator } from "./frames.ts";
import { Gather } from "./gather.ts";
import { type Leaf, PROTNONE, type PageTables, type TableParts } from "./page-tables.ts";
import type { Access, Vma } from "./vmas.ts";

/** P, W and U (or PROTNONE) of an entry in a region with `access`. */
export function protectedFlags(access: Access, exclusive: boolean): number {
  if (access === "none") return PROTNONE;
  return access === "read-write" && exclusive ? freshPage : withoutWrite(freshPage);
}

/**
 * Changes the entries of regions; all of them share one flush. Each entry is cleared before it gets its new
 * value, as Linux does: silicon could set A or D in between otherwise.
 */
export function changeProtection(
  parts: TableParts & { readonly tables: PageTables },
  space: AddressSpace,
  { regions, access }: { readonly regions: readonly Vma[]; readonly access: Access },
): void {
  const { map, frames, contexts, tables } = parts;
  const gather = new Gather(contexts, parts.tableFrames);
  const change = ({ vpn, level, table, index, low, high }: Leaf): void => {
    const frame = frameOf(low, high);
    // A shared page stays read-only whatever the region allows: its first store copies it.
    const exclusive = isExclusive(frames, frame, level);
    const kept = isLarge(low) ? asLarge(marksOf(low)) : marksOf(low);
    map.clear(table, index);
    const flags = kept | protectedFlags(access, exclusive);
    map.store(table, index, lowHalf(frame, flags), highHalf(frame, nxOf(high)));
    gather.changed(vpn, pagesPerEntry(level));
  };
  for (const { start, end } of regions) tables.visitLeaves(space, start, end, change);
  gather.flush();
}

function isExclusive(frames: FrameAllocator, first: number, level: number): boolean {
  const count = level === 2 ? entriesPerTable : 1;
  for (let i = 0; i < count; i++) if (!frames.isExclusive(first + i)) return false;
  return true;
}
