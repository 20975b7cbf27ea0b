/**
 * Editing radix tables in host memory: EPT, NPT, the host's own table, the virtual TLB.
 *
 * One loop finds the entry for a page at a level and makes the tables on the way. What an entry looks like, its format
 * says; tables are of 512 entries.
 */
import { entriesPerTable, indexAt, pagesPerEntry, type Pfn } from "../../machine/address.ts";
import type { EntryFormat } from "../../machine/formats/format.ts";
import type { FrameMemory } from "../platform.ts";

/** One entry of one table. */
export interface EntryPlace {
  readonly table: Pfn;
  readonly index: number;
  readonly level: number;
}

/** The frames that tables lie in. */
export type TableMemory = Pick<
  FrameMemory,
  | "readLow"
  | "readHigh"
  | "write"
  | "writeEntry"
  | "setLow"
  | "allocateTable"
  | "allocateTables"
  | "freeTable"
  | "zero"
  | "nodeOf"
  | "tableBytesPeak"
>;

export interface RadixTree {
  readonly memory: TableMemory;
  readonly format: EntryFormat;
  readonly root: Pfn;
  readonly levels: number;
  /**
   * Levels whose links lead to two levels in one, where contiguous frames can be had; absent: none. Such a tree is never
   * cut or emptied, and has no large leaf below a folded link.
   */
  readonly folds?: readonly number[];
  /**
   * Fences what is cached of an entry that has just been cleared, for a table to take the place of its leaf; absent: a table may
   * replace the leaf at once.
   */
  readonly fence?: () => void;
  /** Told of each table that is made. */
  readonly onTable?: () => void;
}

/** The root's table for `page`: a wide root is several, one after another. */
function rootFor({ root, levels }: RadixTree, page: number): Pfn {
  const pages = pagesPerEntry(levels + 1);
  return page < pages ? root : ((root + Math.floor(page / pages)) as Pfn);
}

/** Stores an entry for `frame` with these flags of either half. */
export function putEntry(
  { memory, format: { frameShift } }: Pick<RadixTree, "memory" | "format">,
  { table, index }: Pick<EntryPlace, "table" | "index">,
  entry: { readonly frame: number; readonly flags: number; readonly high?: number },
): void {
  const { frame, flags, high = 0 } = entry;
  memory.write(table, index, (frame << frameShift) | flags, (frame >>> (32 - frameShift)) | high);
}

/** Links a new table to an entry that is empty. */
function link(tree: RadixTree, place: EntryPlace): void {
  const { memory, format, folds, onTable } = tree;
  const large =
    folds?.includes(place.level) === true ? memory.allocateTables(entriesPerTable) : null;
  const frame = large ?? memory.allocateTable();
  onTable?.();
  putEntry(tree, place, { frame, flags: format.link, high: large === null ? 0 : format.foldHigh });
}

/** The entry for `page` at `level`, with the tables above it made where they were missing. */
export function makePlace(tree: RadixTree, page: number, level: number): EntryPlace {
  const { memory, format } = tree;
  let table = rootFor(tree, page);
  for (let at = tree.levels; at > level; at--) {
    const index = indexAt(page, at);
    if ((memory.readLow(table, index) & format.link) === 0) link(tree, { table, index, level: at });
    const high = memory.readHigh(table, index);
    table = format.frameOf(memory.readLow(table, index), high) as Pfn;
    // Two levels in one: its first index says in which of its frames.
    if ((high & format.foldHigh) !== 0) table = (table + indexAt(page, --at)) as Pfn;
  }
  return { table, index: indexAt(page, level), level };
}

/** The entry for `page` at `level`; null where a leaf or nothing stands above it. */
export function findPlaceAt(tree: RadixTree, page: number, level: number): EntryPlace | null {
  let table = rootFor(tree, page);
  for (let at: number = tree.levels; at > level; at--) {
    const child = childTable(tree, { table, index: indexAt(page, at), level: at });
    if (child === null) return null;
    table = child;
  }
  return { table, index: indexAt(page, level), level };
}

/** The entry that ends the walk for `page`: a leaf, or the first one that is not present. */
export function findPlace(tree: RadixTree, page: number): EntryPlace {
  const { memory, format } = tree;
  let table = rootFor(tree, page);
  for (let level = tree.levels; ; level--) {
    const index = indexAt(page, level);
    const low = memory.readLow(table, index);
    if ((low & format.link) === 0 || format.isLeaf(level, low)) return { table, index, level };
    const high = memory.readHigh(table, index);
    table = format.frameOf(low, high) as Pfn;
    if ((high & format.foldHigh) !== 0) table = (table + indexAt(page, --level)) as Pfn;
  }
}

/** Leaves of pages in [start, end), and what to do with them. */
interface LeafVisit {
  readonly memory: TableMemory;
  readonly format: EntryFormat;
  readonly start: number;
  readonly end: number;
  readonly visit: (place: EntryPlace, page: number) => void;
}

/**
 * Calls `visit` for every present leaf that maps pages in [start, start + pages), in page order. It may change the
 * leaf, split it too, but free no table.
 */
export function forEachLeaf(
  tree: RadixTree,
  start: number,
  pages: number,
  visit: (place: EntryPlace, page: number) => void,
): void {
  const { memory, format, levels } = tree;
  const end = start + pages;
  const span = pagesPerEntry(levels + 1);
  for (let first = start - (start % span); first < end; first += span) {
    visitBelow({ memory, format, start, end, visit }, rootFor(tree, first), levels, first);
  }
}

/** The leaves below `table`, whose first entry is for page `first`. */
function visitBelow(leaves: LeafVisit, table: Pfn, level: number, first: number): void {
  const { memory, format, start, end, visit } = leaves;
  const span = pagesPerEntry(level);
  const last = Math.min(entriesPerTable - 1, Math.floor((end - 1 - first) / span));
  for (let index = Math.max(0, Math.floor((start - first) / span)); index <= last; index++) {
    const low = memory.readLow(table, index);
    if ((low & format.link) === 0) continue;
    const page = first + index * span;
    if (format.isLeaf(level, low)) {
      visit({ table, index, level }, page);
      continue;
    }
    const high = memory.readHigh(table, index);
    const below = format.frameOf(low, high) as Pfn;
    if ((high & format.foldHigh) === 0) visitBelow(leaves, below, level - 1, page);
    else visitFolded(leaves, below, level - 2, page);
  }
}

/** All the frames of a table that is two levels in one. */
function visitFolded(leaves: LeafVisit, table: Pfn, level: number, first: number): void {
  const span = pagesPerEntry(level + 1);
  for (let i = 0; i < entriesPerTable; i++) {
    const page = first + i * span;
    if (page >= leaves.end || page + span <= leaves.start) continue;
    visitBelow(leaves, (table + i) as Pfn, level, page);
  }
}

/** Replaces a large leaf by a table of 512 leaves, one size smaller, with the same rights. */
export function splitLeaf(tree: RadixTree, place: EntryPlace): void {
  const { memory, format } = tree;
  const low = memory.readLow(place.table, place.index);
  const first = format.frameOf(low, memory.readHigh(place.table, place.index)) as Pfn;
  const span = pagesPerEntry(place.level - 1);
  const own = low & ((1 << format.frameShift) - 1);
  // What tells a large leaf from a small one, in either direction.
  const flags = place.level === 2 ? own ^ format.leaf ^ format.largeLeaf : own;
  const child = memory.allocateTable();
  for (let index = 0; index < entriesPerTable; index++) {
    putEntry(tree, { table: child, index }, { frame: first + index * span, flags });
  }
  if (tree.fence !== undefined) {
    memory.write(place.table, place.index, 0, 0);
    tree.fence();
  }
  putEntry(tree, place, { frame: child, flags: format.link });
}

/** Splits the large leaves that map pages in [start, start + pages) down to 4 KiB there; their rest stays large. */
export function splitLeaves(
  tree: RadixTree,
  { start, pages }: { readonly start: number; readonly pages: number },
  onSplit: (place: EntryPlace) => void,
): void {
  for (const level of [3, 2]) {
    forEachLeaf(tree, start, pages, (place) => {
      if (place.level !== level) return;
      splitLeaf(tree, place);
      onSplit(place);
    });
  }
}

/** The table that the present entry at `place` links to; null for a leaf, which links to none. */
export function childTable(
  { memory, format }: Pick<RadixTree, "memory" | "format">,
  { table, index, level }: EntryPlace,
): Pfn | null {
  const low = memory.readLow(table, index);
  if ((low & format.link) === 0 || format.isLeaf(level, low)) return null;
  return format.frameOf(low, memory.readHigh(table, index)) as Pfn;
}

/** Clears an entry and frees the tables below it. */
export function cutBranch(tree: RadixTree, place: EntryPlace): void {
  const child = childTable(tree, place);
  tree.memory.write(place.table, place.index, 0, 0);
  if (child === null) return;
  freeBelow(tree, child, place.level - 1);
  tree.memory.freeTable(child);
}

/** Clears the A bit in these entries; true when it was set in one. A flush is due before it is asked again. */
export function takeAccessed(
  memory: TableMemory,
  places: Iterable<Pick<EntryPlace, "table" | "index">>,
  accessedBit: number,
): boolean {
  let isYoung = false;
  for (const { table, index } of places) {
    const low = memory.readLow(table, index);
    if ((low & accessedBit) === 0) continue;
    memory.setLow(table, index, low & ~accessedBit);
    isYoung = true;
  }
  return isYoung;
}

/** Frees every table below the root and clears the root. */
export function emptyTree(tree: RadixTree): void {
  freeBelow(tree, tree.root, tree.levels);
  tree.memory.zero(tree.root);
}

function freeBelow(tree: RadixTree, table: Pfn, level: number): void {
  if (level === 1) return;
  for (let index = 0; index < entriesPerTable; index++) {
    const child = childTable(tree, { table, index, level });
    if (child === null) continue;
    freeBelow(tree, child, level - 1);
    tree.memory.freeTable(child);
  }
}
