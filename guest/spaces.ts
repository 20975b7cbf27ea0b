/**
 * Whole address spaces: unmapping a part, copying on fork, tearing down at exit and exec.
 *
 * Fork shares every private page read-only between parent and child; who stores first pays for the copy.
 * File pages that nobody changed are left out of the child's tables: its own faults find them again.
 *
 * Source: Linux mm/memory.c (copy_page_range, unmap_vmas), mm/mmap.c (unmap_region, exit_mmap).
 */
import { entriesPerTable, type Gfn, pagesPerEntry, type Vpn } from "../machine/address.ts";
import {
  frameOf,
  isPresent,
  isWritable,
  withoutAccessed,
  withoutWrite,
} from "../machine/formats/x86-entry.ts";
import type { AddressSpace } from "./address-space.ts";
import type { FrameAllocator } from "./frames.ts";
import { Gather } from "./gather.ts";
import type { Leaf, PageTables, TableParts } from "./page-tables.ts";

type SpaceParts = TableParts & { readonly tables: PageTables };

/** munmap: regions, entries, translations, tables and frames, in this order. */
export function unmapRange(parts: SpaceParts, space: AddressSpace, from: Vpn, to: number): void {
  const gather = new Gather(parts.contexts, parts.tableFrames);
  const gone = space.vmas.carve(from, to);
  for (const vma of gone) clearEntries(parts, space, vma, gather);
  parts.tables.freeTables(space, gone, gather);
  gather.flush();
}

/** Everything below the roots goes. A loaded space is flushed, one that never runs again need not be. */
export function emptySpace(parts: SpaceParts, space: AddressSpace): void {
  const gather = new Gather(parts.contexts, parts.tableFrames);
  const gone = space.vmas.carve(0, Infinity);
  for (const vma of gone) clearEntries(parts, space, vma, gather);
  parts.tables.freeTables(space, gone, gather);
  if (parts.contexts.isLoaded(space)) gather.forgetSpace();
  else gather.free();
}

/** The child's half of fork. `parent` is loaded. */
export function copySpace(parts: SpaceParts, parent: AddressSpace): AddressSpace {
  const { map, frames, tables, contexts } = parts;
  const child = tables.createSpace();
  child.vmas.copyFrom(parent.vmas);
  for (const file of parent.copiedFiles) child.copiedFiles.add(file);
  let childTable = 0 as Gfn;
  let childSpan = -1;

  const copyLeaf = ({ vpn, level, table, index, low, high }: Leaf): void => {
    const frame = frameOf(low, high);
    if (isPresent(low) && isWritable(low)) map.store(table, index, withoutWrite(low), high);
    const copy = withoutAccessed(withoutWrite(low));
    shareFrames(frames, frame, level);
    // One walk down the child's tables per 2 MiB; 2 MiB entries come from the table above.
    const span = Math.floor(vpn / entriesPerTable);
    if (level === 2) {
      map.store(tables.tableAt(child, vpn, 2), index, copy, high);
      return;
    }
    if (span !== childSpan) childTable = tables.tableAt(child, vpn, 1);
    childSpan = span;
    map.store(childTable, index, copy, high);
  };
  for (const { start, end, file } of parent.vmas.all) {
    if (file !== null && !parent.copiedFiles.has(file)) continue;
    tables.visitLeaves(parent, start, end, copyLeaf);
  }
  new Gather(contexts, parts.tableFrames).flushSpace();
  return child;
}

function clearEntries(
  { map, tables }: SpaceParts,
  space: AddressSpace,
  { start, end }: { readonly start: number; readonly end: number },
  gather: Gather,
): void {
  tables.visitLeaves(space, start, end, ({ vpn, level, table, index, low, high }) => {
    const first = frameOf(low, high);
    map.clear(table, index);
    const pages = pagesPerEntry(level);
    gather.changed(vpn, pages);
    for (let i = 0; i < pages; i++) gather.release(first + i);
  });
}

function shareFrames(frames: FrameAllocator, first: number, level: number): void {
  for (let i = 0; i < pagesPerEntry(level); i++) frames.share(first + i);
}
