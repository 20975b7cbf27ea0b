/**
 * Nested tables as a dirty tracker sees them: one leaf per frame, found by walking the tree.
 */
import { entriesPerTable, type Gfn, levelOfOrder } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { HostMemory } from "../memory/host-memory.ts";
import {
  childTable,
  cutBranch,
  type EntryPlace,
  findPlace,
  findPlaceAt,
  forEachLeaf,
  putEntry,
  type RadixTree,
  splitLeaves,
} from "../tables/radix.ts";
import { type FrameRange, largeAround } from "./frame-ranges.ts";
import type { DirtyLogOptions } from "./dirty-log-options.ts";
import type { LoggedTables } from "./tracker.ts";

export interface NestedParts {
  readonly tree: RadixTree;
  readonly memory: HostMemory;
  /** Bit of a leaf that silicon sets at a write. */
  readonly dirtyBit: number;
  /** Flags of a large leaf that comes back, writable. */
  readonly hugeFlags: number;
  readonly ledger: () => Ledger;
}

/** All of `LoggedTables` that is about entries; `collapse` says whether a table went, so that a flush is due. */
export function nestedTables({ tree, memory, dirtyBit, hugeFlags, ledger }: NestedParts) {
  const { memory: bytes, format } = tree;

  const lowAt = ({ table, index }: EntryPlace): number => bytes.readLow(table, index);
  const isPresent = (place: EntryPlace): boolean => (lowAt(place) & format.link) !== 0;

  /** Takes `flag` from a present leaf that has it. */
  function take(place: EntryPlace, flag: number): boolean {
    const low = lowAt(place);
    if ((low & format.link) === 0 || (low & flag) === 0) return false;
    bytes.write(place.table, place.index, low & ~flag, bytes.readHigh(place.table, place.index));
    return true;
  }

  function protect(place: EntryPlace): void {
    if (take(place, format.write)) ledger().entriesWriteProtected += 1;
  }

  /** The 4 KiB leaf for `gfn`; null where there is none. */
  function smallLeaf(gfn: Gfn): EntryPlace | null {
    const place = findPlace(tree, gfn);
    return place.level === 1 && isPresent(place) ? place : null;
  }

  /** The table of smaller leaves for one host page goes; a leaf as large as that page takes its place, or will. Was there one? */
  function collapseOne(first: Gfn, level: number, how: "next-fault" | "at-once"): boolean {
    const place = findPlaceAt(tree, first, level);
    if (place === null || childTable(tree, place) === null) return false;
    cutBranch(tree, place);
    if (how === "at-once") {
      const flags = memory.isWritable(first) ? hugeFlags : hugeFlags & ~format.write;
      putEntry(tree, place, { frame: memory.touch(first), flags });
    }
    ledger().hugePagesCollapsed += 1;
    return true;
  }

  return {
    forEachSmall({ start, frames }, visit) {
      forEachLeaf(tree, start, frames, (place, gfn) => {
        if (place.level === 1) visit(gfn as Gfn);
      });
    },
    writeProtect(gfn) {
      const place = smallLeaf(gfn);
      if (place !== null) protect(place);
    },
    isDirty(gfn) {
      const place = smallLeaf(gfn);
      return place !== null && (lowAt(place) & dirtyBit) !== 0;
    },
    clearDirty(gfn) {
      const place = smallLeaf(gfn);
      if (place !== null && take(place, dirtyBit)) ledger().entriesDirtyCleared += 1;
    },
    isHuge(gfn) {
      const place = findPlace(tree, gfn);
      return place.level > 1 && isPresent(place);
    },
    splitHuge({ start, frames }) {
      splitLeaves(tree, { start, pages: frames }, () => {
        ledger().hugePagesSplit += 1;
      });
    },
    protectHuge({ start, frames }) {
      forEachLeaf(tree, start, frames, (place) => {
        if (place.level === 1) return;
        protect(place);
        // Its pieces inherit D, and would all look written.
        take(place, dirtyBit);
      });
    },
    collapse({ start, frames }: FrameRange, how: DirtyLogOptions["collapse"]): boolean {
      let isStale = false;
      if (how === "never") return isStale;
      let page = start - (start % entriesPerTable);
      while (page < start + frames) {
        const level = levelOfOrder(memory.orderOf(page as Gfn));
        const { start: first, frames: span } = largeAround(page as Gfn, level);
        if (level > 1 && collapseOne(first, level, how)) isStale = true;
        page = first + Math.max(span, entriesPerTable);
      }
      return isStale;
    },
  } satisfies Partial<LoggedTables>;
}
