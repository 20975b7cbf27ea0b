/**
 * Nested tables as a dirty tracker sees them: one leaf per frame, found by walking the tree.
 */
import type { Gfn } from "../../machine/address.ts";
import { PS, W } from "../../machine/entry.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { HostMemory } from "../host-memory.ts";
import {
  type EntryPlace,
  findPlace,
  forEachLeaf,
  makePlace,
  type RadixTree,
  splitLeaf,
} from "../radix.ts";
import type { DirtyLogOptions } from "../../machine/dirty-log-options.ts";
import type { FrameRange } from "./frame-ranges.ts";
import type { LoggedTables } from "./tracker.ts";

/** Any of these bits makes a nested entry present: read, write, execute; present, write, user. */
const present = 7;

export interface NestedParts {
  readonly tree: RadixTree;
  readonly memory: HostMemory;
  /** Bit of a leaf that silicon sets at a write. */
  readonly dirtyBit: number;
  /** Flags of a 2 MiB leaf that comes back. */
  readonly hugeFlags: number;
  readonly ledger: () => Ledger;
}

/** All of `LoggedTables` that is about entries; `collapse` says whether a table went, so that a flush is due. */
export function nestedTables({ tree, memory, dirtyBit, hugeFlags, ledger }: NestedParts) {
  const { memory: bytes } = tree;

  const lowAt = ({ table, index }: EntryPlace): number => bytes.readLow(table, index);
  const isPresent = (place: EntryPlace): boolean => (lowAt(place) & present) !== 0;

  /** Takes `flag` from a present leaf that has it. */
  function take(place: EntryPlace, flag: number): boolean {
    const low = lowAt(place);
    if ((low & present) === 0 || (low & flag) === 0) return false;
    bytes.write(place.table, place.index, low & ~flag, bytes.readHigh(place.table, place.index));
    return true;
  }

  function protect(place: EntryPlace): void {
    if (take(place, W)) ledger().entriesWriteProtected += 1;
  }

  /** The 4 KiB leaf for `gfn`; null where there is none. */
  function smallLeaf(gfn: Gfn): EntryPlace | null {
    const place = findPlace(tree, gfn);
    return place.level === 1 && isPresent(place) ? place : null;
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
      return place.level === 2 && isPresent(place);
    },
    splitHuge({ start, frames }) {
      forEachLeaf(tree, start, frames, (place) => {
        if (place.level !== 2) return;
        splitLeaf(tree, place);
        ledger().hugePagesSplit += 1;
      });
    },
    protectHuge({ start, frames }) {
      forEachLeaf(tree, start, frames, (place) => {
        if (place.level !== 2) return;
        protect(place);
        // Its pieces inherit D, and would all look written.
        take(place, dirtyBit);
      });
    },
    collapse({ start, frames }: FrameRange, how: DirtyLogOptions["collapse"]): boolean {
      let isStale = false;
      if (how === "never") return isStale;
      for (let gfn = start - (start % 512); gfn < start + frames; gfn += 512) {
        const small = findPlace(tree, gfn);
        if (small.level !== 1 || memory.orderOf(gfn as Gfn) !== 9) continue;
        const parent = makePlace(tree, gfn, 2);
        bytes.write(parent.table, parent.index, 0, 0);
        if (how === "at-once") {
          bytes.writeEntry(parent.table, parent.index, memory.touch(gfn as Gfn), hugeFlags | PS);
        }
        bytes.freeTable(small.table);
        ledger().hugePagesCollapsed += 1;
        isStale = true;
      }
      return isStale;
    },
  } satisfies Partial<LoggedTables>;
}
