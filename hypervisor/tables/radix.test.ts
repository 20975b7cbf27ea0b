/**
 * Radix tables by themselves: places found and made, leaves in order, large leaves split, branches cut, against a list of
 * pages; and the ranges of a dirty log.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Gfn } from "../../machine/address.ts";
import { asLarge, asSmall, frameOf } from "../../machine/formats/x86-entry.ts";
import { x86 } from "../../machine/formats/x86.ts";
import { PhysicalMemory } from "../../machine/memory.ts";
import { FrameRanges, largeAround } from "../dirty/frame-ranges.ts";
import {
  childTable,
  cutBranch,
  emptyTree,
  findPlace,
  findPlaceAt,
  forEachLeaf,
  makePlace,
  type RadixTree,
  splitLeaf,
  splitLeaves,
  takeAccessed,
} from "./radix.ts";

const spanOf = (level: number) => 512 ** (level - 1);

function treeOf(levels = 4) {
  const memory = new PhysicalMemory({ guestFrames: 64, tableFrames: 512, slotsMax: 600 });
  /** Tables that are not given back. */
  const live = new Set<number>();
  const allocate = memory.allocateTable.bind(memory);
  const free = memory.freeTable.bind(memory);
  memory.allocateTable = () => {
    const table = allocate();
    live.add(table);
    return table;
  };
  memory.freeTable = (table) => {
    expect(live.delete(table)).toBe(true);
    free(table);
  };
  let made = 0;
  const tree: RadixTree = {
    memory,
    format: x86,
    root: memory.allocateTable(),
    levels,
    onTable: () => (made += 1),
  };
  /** Maps `page` by a leaf of `level` with these flags, present and more. */
  const map = (page: number, level: number, frame: number, flags = 0x67) => {
    const { table, index } = makePlace(tree, page, level);
    memory.writeEntry(table, index, frame, level > 1 ? asLarge(flags) : flags);
  };
  const leaves = (start: number, pages: number) => {
    const found: number[][] = [];
    forEachLeaf(tree, start, pages, ({ table, index, level }, page) => {
      const low = memory.readLow(table, index);
      found.push([page, level, frameOf(low, memory.readHigh(table, index))]);
    });
    return found;
  };
  return { memory, tree, map, leaves, live, made: () => made };
}

describe("a radix tree", () => {
  test("makes the tables that lack on the way to a place, once", () => {
    const { tree, made } = treeOf();
    const place = makePlace(tree, 513, 1);
    expect([made(), place.level, place.index]).toEqual([3, 1, 1]);
    expect(makePlace(tree, 513, 1)).toEqual(place);
    expect(makePlace(tree, 514, 1)).toEqual({ ...place, index: 2 });
    expect(made()).toBe(3);
    // Another 2 MiB, another GiB, another 512 GiB, and entries of levels above.
    makePlace(tree, 0, 1);
    expect(made()).toBe(4);
    makePlace(tree, 512 ** 2, 1);
    expect(made()).toBe(6);
    makePlace(tree, 512 ** 3, 1);
    expect(made()).toBe(9);
    expect(makePlace(tree, 512 ** 3 * 2, 4)).toEqual({ table: tree.root, index: 2, level: 4 });
    expect(made()).toBe(9);
    expect(makePlace(tree, 512 ** 3 * 2 + 512 ** 2 * 7, 3).index).toBe(7);
    expect(made()).toBe(10);
  });

  test("ends a search at a leaf of any size, or at what is not present", () => {
    const { tree, map } = treeOf();
    expect(findPlace(tree, 5)).toEqual({ table: tree.root, index: 0, level: 4 });
    map(512 ** 2, 3, 512 ** 2);
    map(512, 2, 512);
    map(3, 1, 9);
    const levels = [3, 4, 512, 1023, 1024, 512 ** 2, 512 ** 2 * 2 - 1, 512 ** 2 * 2, 512 ** 3];
    expect(levels.map((page) => findPlace(tree, page).level)).toEqual([1, 1, 2, 2, 2, 3, 3, 3, 4]);
    // A place at a level is below no leaf, and below nothing that is not there.
    const at = (page: number, level: number) => findPlaceAt(tree, page, level)?.index ?? null;
    expect([at(3, 1), at(3, 2), at(3, 3), at(3, 4)]).toEqual([3, 0, 0, 0]);
    expect([at(700, 1), at(700, 2), at(512 ** 2 + 5, 2), at(512 ** 2 + 5, 3)]).toEqual([
      null,
      1,
      null,
      1,
    ]);
    expect([at(512 ** 3, 3), at(512 ** 3, 4)]).toEqual([null, 1]);
    expect(childTable(tree, findPlace(tree, 3))).toBeNull();
    expect(childTable(tree, findPlace(tree, 600))).toBeNull();
    expect(childTable(tree, { table: tree.root, index: 0, level: 4 })).not.toBeNull();
    expect(childTable(tree, { table: tree.root, index: 9, level: 4 })).toBeNull();
  });

  test("turns a large leaf into 512 of the next size with its rights, and the rest of it stays large", () => {
    const { tree, map, memory, leaves } = treeOf();
    map(0, 3, 512 ** 2 * 4, asSmall(0x7ff));
    splitLeaf(tree, findPlace(tree, 0));
    expect(leaves(0, 512 ** 2)).toEqual(
      Array.from({ length: 512 }, (_, i) => [i * 512, 2, 512 ** 2 * 4 + i * 512]),
    );
    const two = findPlace(tree, 512 * 3);
    expect(memory.readLow(two.table, two.index) & 0xfff).toBe(0x7ff);
    splitLeaf(tree, two);
    const one = findPlace(tree, 512 * 3 + 7);
    // At level 1 the bit of a large leaf means something else.
    expect(memory.readLow(one.table, one.index) & 0xfff).toBe(asSmall(0x7ff));
    expect(leaves(512 * 3 + 7, 1)).toEqual([[512 * 3 + 7, 1, 512 ** 2 * 4 + 512 * 3 + 7]]);
    expect(leaves(512 * 3, 513).length).toBe(513);
  });

  test("splits what a range cuts down to 4 KiB, from the largest on, and tells of each", () => {
    const { tree, map, leaves } = treeOf();
    map(0, 3, 0);
    const split: number[] = [];
    splitLeaves(tree, { start: 510, pages: 4 }, ({ level }) => split.push(level));
    expect(split).toEqual([3, 2, 2]);
    expect(leaves(0, 512 ** 2).length).toBe(1024 + 510);
    splitLeaves(tree, { start: 0, pages: 1024 }, ({ level }) => split.push(level));
    expect(split.length).toBe(3);
  });

  // Planted: a table that is not freed, or twice; a leaf taken for a table.
  test("gives back every table below an entry that is cut, and all but the root when it is emptied", () => {
    const { tree, map, live } = treeOf();
    map(0, 1, 1);
    map(512, 1, 2);
    map(1024, 2, 512);
    map(512 ** 2, 3, 512 ** 2);
    map(512 ** 3, 1, 5);
    // The root, and below: one of level 3, 2 each of level 2 and 1; and three for the last page.
    expect(live.size).toBe(1 + 4 + 3);
    cutBranch(tree, { table: tree.root, index: 1, level: 4 });
    expect([live.size, findPlace(tree, 512 ** 3).level]).toEqual([1 + 4, 4]);
    cutBranch(tree, findPlace(tree, 1024));
    cutBranch(tree, { table: tree.root, index: 5, level: 4 });
    expect([live.size, findPlace(tree, 1024).level, findPlace(tree, 512).level]).toEqual([5, 2, 1]);
    emptyTree(tree);
    expect([...live]).toEqual([tree.root]);
    expect(findPlace(tree, 0).level).toBe(4);
  });

  test("is young where some entry has A, once", () => {
    const { tree, map, memory } = treeOf();
    map(0, 1, 1, 0x67);
    map(1, 1, 2, 0x47);
    const [one, two] = [findPlace(tree, 0), findPlace(tree, 1)];
    expect(takeAccessed(memory, [two], 0x20)).toBe(false);
    expect(takeAccessed(memory, [one, two], 0x20)).toBe(true);
    expect(memory.readLow(one.table, one.index)).toBe(0x1047);
    expect(memory.readLow(two.table, two.index)).toBe(0x2047);
    expect(takeAccessed(memory, [one, two], 0x20)).toBe(false);
  });

  // Planted: a first or last entry left out, a page before the start, an end one late.
  test("has its leaves in order, those alone that a range meets", () => {
    const marks = [0, 1, 511, 512, 513, 1024, 512 ** 2 - 1, 512 ** 2, 512 ** 2 * 2, 512 ** 3];
    const page = fc.constantFrom(...marks);
    fc.assert(
      fc.property(
        fc.constantFrom(4, 5),
        fc.array(fc.tuple(page, fc.constantFrom(1, 1, 2, 3)), { maxLength: 8 }),
        page,
        fc.oneof(fc.constantFrom(1, 2, 511, 512, 513), page),
        (levels, maps, start, pages) => {
          const { tree, map, leaves } = treeOf(levels);
          const model: number[][] = [];
          for (const [at, level] of maps) {
            const first = at - (at % spanOf(level));
            const taken = model.some(([other = 0, size = 1]) => {
              return first < other + spanOf(size) && other < first + spanOf(level);
            });
            // No leaf over or below another, nor over a table that another one left.
            if (taken || childAt(tree, first, level)) continue;
            map(first, level, first + 1);
            model.push([first, level, first + 1]);
          }
          const met = model.filter(([first = 0, level = 1]) => {
            return first < start + pages && start < first + spanOf(level);
          });
          expect(leaves(start, pages)).toEqual(met.toSorted(([a = 0], [b = 0]) => a - b));
        },
      ),
      { numRuns: 150 },
    );
  });
});

function childAt(tree: RadixTree, page: number, level: number): boolean {
  const place = findPlaceAt(tree, page, level);
  return place !== null && childTable(tree, place) !== null;
}

describe("ranges of a dirty log", () => {
  const range = (start: number, frames: number) => ({ start: start as Gfn, frames });

  test("never overlap: what is added is what was not covered", () => {
    const ranges = new FrameRanges();
    expect(ranges.add(range(10, 5))).toEqual([range(10, 5)]);
    expect(ranges.add(range(12, 10))).toEqual([range(15, 7)]);
    expect(ranges.add(range(5, 30))).toEqual([range(5, 5), range(22, 13)]);
    expect(ranges.add(range(6, 3))).toEqual([]);
    expect(ranges.add(range(40, 1))).toEqual([range(40, 1)]);
    expect(ranges.all()).toEqual([
      range(5, 5),
      range(10, 5),
      range(15, 7),
      range(22, 13),
      range(40, 1),
    ]);
    expect([4, 5, 34, 35, 40, 41].map((gfn) => ranges.covers(gfn as Gfn))).toEqual([
      false,
      true,
      true,
      false,
      true,
      false,
    ]);
    expect(ranges.within(range(13, 4))).toEqual([range(13, 2), range(15, 2)]);
    expect(ranges.within(range(35, 5))).toEqual([]);
    expect(
      [range(35, 5), range(35, 6), range(0, 5), range(0, 6)].map((at) => ranges.touches(at)),
    ).toEqual([false, true, false, true]);
    expect(ranges.take().length).toBe(5);
    expect([ranges.all(), ranges.covers(12 as Gfn)]).toEqual([[], false]);
  });

  test("of one leaf begin at a multiple of its size", () => {
    expect([1, 2, 3].map((level) => largeAround(0x12_3457 as Gfn, level))).toEqual([
      range(0x12_3457, 1),
      range(0x12_3400, 512),
      range(0x10_0000, 512 ** 2),
    ]);
  });
});
