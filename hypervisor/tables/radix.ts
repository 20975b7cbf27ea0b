/**
 * Editing radix tables in host memory: EPT, NPT, the host's own table, the virtual TLB.
 *
 * One loop finds the entry for a page at a level and makes the tables on the way. Formats differ in flags
 * only, and the flags that links need (present, write, execute or user) are 7 in both.
 */
import { indexAt, type PagingLevels, pagesPerEntry, type Pfn } from "../../machine/address.ts";
import { frameOf, PS } from "../../machine/entry.ts";
import type { FrameMemory } from "../platform.ts";

/** Present, writable and user or executable: what an entry that links a table carries, x86 and EPT alike. */
const linkFlags = 7;

/** One entry of one table. */
export interface EntryPlace {
  readonly table: Pfn;
  readonly index: number;
  readonly level: number;
}

export interface RadixTree {
  readonly memory: FrameMemory;
  readonly root: Pfn;
  readonly levels: PagingLevels;
  /** Told of each table that is made. */
  readonly onTable?: () => void;
}

/** The entry for `page` at `level`, with the tables above it made where they were missing. */
export function makePlace(
  { memory, root, levels, onTable }: RadixTree,
  page: number,
  level: number,
): EntryPlace {
  let table = root;
  for (let at: number = levels; at > level; at--) {
    const index = indexAt(page, at);
    const low = memory.readLow(table, index);
    if ((low & linkFlags) === 0) {
      const child = memory.allocateTable();
      onTable?.();
      memory.writeEntry(table, index, child, linkFlags);
      table = child;
    } else {
      table = frameOf(low, memory.readHigh(table, index)) as Pfn;
    }
  }
  return { table, index: indexAt(page, level), level };
}

/** The entry for `page` at `level`; null where a leaf or nothing stands above it. */
export function findPlaceAt(
  { memory, root, levels }: RadixTree,
  page: number,
  level: number,
): EntryPlace | null {
  let table = root;
  for (let at: number = levels; at > level; at--) {
    const child = childTable({ memory }, { table, index: indexAt(page, at), level: at });
    if (child === null) return null;
    table = child;
  }
  return { table, index: indexAt(page, level), level };
}

/** The entry that ends the walk for `page`: a leaf, or the first one that is not present. */
export function findPlace({ memory, root, levels }: RadixTree, page: number): EntryPlace {
  let table = root;
  for (let level: number = levels; ; level--) {
    const index = indexAt(page, level);
    const low = memory.readLow(table, index);
    const isLeaf = level === 1 || ((low & PS) !== 0 && level <= 3);
    if (isLeaf || (low & linkFlags) === 0) return { table, index, level };
    table = frameOf(low, memory.readHigh(table, index)) as Pfn;
  }
}

/** Leaves of pages in [start, end), and what to do with them. */
interface LeafVisit {
  readonly memory: FrameMemory;
  readonly start: number;
  readonly end: number;
  readonly visit: (place: EntryPlace, page: number) => void;
}

/**
 * Calls `visit` for every present leaf that maps pages in [start, start + pages), in page order. It may change the
 * leaf, split it too, but free no table.
 */
export function forEachLeaf(
  { memory, root, levels }: RadixTree,
  start: number,
  pages: number,
  visit: (place: EntryPlace, page: number) => void,
): void {
  visitBelow({ memory, start, end: start + pages, visit }, root, levels, 0);
}

/** The leaves below `table`, whose first entry is for page `first`. */
function visitBelow(leaves: LeafVisit, table: Pfn, level: number, first: number): void {
  const { memory, start, end, visit } = leaves;
  const span = 512 ** (level - 1);
  const last = Math.min(511, Math.floor((end - 1 - first) / span));
  for (let index = Math.max(0, Math.floor((start - first) / span)); index <= last; index++) {
    const low = memory.readLow(table, index);
    if ((low & linkFlags) === 0) continue;
    const page = first + index * span;
    if (level === 1 || ((low & PS) !== 0 && level <= 3)) visit({ table, index, level }, page);
    else visitBelow(leaves, frameOf(low, memory.readHigh(table, index)) as Pfn, level - 1, page);
  }
}

/** Replaces a large leaf by a table of 512 leaves, one size smaller, with the same rights. */
export function splitLeaf({ memory }: RadixTree, place: EntryPlace): void {
  const low = memory.readLow(place.table, place.index);
  const frame = frameOf(low, memory.readHigh(place.table, place.index));
  const span = pagesPerEntry(place.level - 1);
  const flags = place.level === 2 ? low & 0xfff & ~PS : low & 0xfff;
  const child = memory.allocateTable();
  for (let index = 0; index < 512; index++) {
    memory.writeEntry(child, index, frame + index * span, flags);
  }
  memory.writeEntry(place.table, place.index, child, linkFlags);
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
  { memory }: Pick<RadixTree, "memory">,
  { table, index, level }: EntryPlace,
): Pfn | null {
  const low = memory.readLow(table, index);
  if (level === 1 || (low & linkFlags) === 0 || (low & PS) !== 0) return null;
  return frameOf(low, memory.readHigh(table, index)) as Pfn;
}

/** Clears an entry and frees the tables below it. */
export function cutBranch(tree: RadixTree, place: EntryPlace): void {
  const child = childTable(tree, place);
  tree.memory.write(place.table, place.index, 0, 0);
  if (child === null) return;
  freeBelow(tree.memory, child, place.level - 1);
  tree.memory.freeTable(child);
}

/** Clears the A bit in these entries; true when it was set in one. A flush is due before it is asked again. */
export function takeAccessed(
  memory: FrameMemory,
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
export function emptyTree({ memory, root, levels }: RadixTree): void {
  freeBelow(memory, root, levels);
  memory.zero(root);
}

function freeBelow(memory: FrameMemory, table: Pfn, level: number): void {
  if (level === 1) return;
  for (let index = 0; index < 512; index++) {
    const low = memory.readLow(table, index);
    if ((low & linkFlags) === 0 || (low & PS) !== 0) continue;
    const child = frameOf(low, memory.readHigh(table, index)) as Pfn;
    freeBelow(memory, child, level - 1);
    memory.freeTable(child);
  }
}
