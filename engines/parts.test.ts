/** The small parts that engines share, by themselves: frame sets and ranges, reverse maps, radix tables, guest entries. */
import { describe, expect, test } from "vitest";
import type { Gfn } from "../machine/address.ts";
import { ept } from "../machine/formats/ept.ts";
import {
  ACC_ALL,
  ACC_USER,
  accessOf,
  asLarge,
  freshPage,
  hasReserved,
  kernelPage,
  lowHalf,
  noExecute,
  withAccessed,
  withDirty,
  withPresent,
  withoutWrite,
} from "../machine/formats/x86-entry.ts";
import { x86 } from "../machine/formats/x86.ts";
import { PhysicalMemory } from "../machine/memory.ts";
import { FrameRanges } from "../hypervisor/dirty/frame-ranges.ts";
import { FrameSet } from "../hypervisor/dirty/frame-set.ts";
import { dirtyBitmap } from "../hypervisor/dirty/bitmap.ts";
import { withoutWriteIfClean } from "../hypervisor/guest-walk.ts";
import { neighboursIn } from "../hypervisor/memory/notifier.ts";
import { ReverseMap } from "./kvm/reverse-map.ts";
import { PcidRoots } from "../hypervisor/pcid-roots.ts";
import {
  emptyTree,
  findPlace,
  forEachLeaf,
  makePlace,
  type RadixTree,
  splitLeaf,
  takeAccessed,
} from "../hypervisor/tables/radix.ts";
import { FrameMap } from "./shadow/frame-map.ts";

const gfn = (n: number) => n as Gfn;
const range = (start: number, frames: number) => ({ start: gfn(start), frames });

const present = withPresent(0);

describe("ranges of a log", () => {
  test("never overlap: only what is new is added, in order", () => {
    const ranges = new FrameRanges();
    expect(ranges.add(range(10, 5))).toEqual([range(10, 5)]);
    expect(ranges.add(range(8, 10))).toEqual([range(8, 2), range(15, 3)]);
    expect(ranges.add(range(10, 3))).toEqual([]);
    expect(ranges.add(range(30, 2))).toEqual([range(30, 2)]);
    expect(ranges.add(range(0, 40))).toEqual([range(0, 8), range(18, 12), range(32, 8)]);
    const starts = ranges.all().map(({ start }) => start);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(ranges.all().reduce((sum, { frames }) => sum + frames, 0)).toBe(40);
    expect(ranges.take()).toHaveLength(7);
    expect(ranges.all()).toEqual([]);
  });

  test("cover their frames, and touch what they share one with", () => {
    const ranges = new FrameRanges();
    ranges.add(range(10, 5));
    ranges.add(range(20, 5));
    expect([9, 10, 14, 15, 20, 24, 25].map((n) => ranges.covers(gfn(n)))).toEqual([
      false,
      true,
      true,
      false,
      true,
      true,
      false,
    ]);
    expect(ranges.within(range(12, 10))).toEqual([range(12, 3), range(20, 2)]);
    expect(ranges.touches(range(15, 5))).toBe(false);
    expect(ranges.touches(range(15, 6))).toBe(true);
    expect(ranges.touches(range(0, 11))).toBe(true);
  });
});

test("a set of frames is listed by range, in order", () => {
  const set = new FrameSet(64);
  set.addAll(range(4, 3));
  for (const n of [0, 63, 5]) set.add(gfn(n));
  set.delete(gfn(4));
  expect(set.list(range(0, 64))).toEqual([0, 5, 6, 63]);
  expect(set.list(range(5, 1))).toEqual([5]);
  expect(set.list(range(6, 57))).toEqual([6]);
  expect([set.has(gfn(4)), set.has(gfn(6))]).toEqual([false, true]);
  set.clear();
  expect(set.list(range(0, 64))).toEqual([]);
});

// Planted: a clear that takes what came after the report, a report that forgets.
test("a bitmap is cleared of what was reported, not of what came after", () => {
  const bitmap = dirtyBitmap(16);
  bitmap.begin(range(0, 2), "dirty");
  bitmap.begin(range(2, 2), "clean");
  bitmap.mark(gfn(5), null);
  expect(bitmap.report(range(0, 16))).toEqual([0, 1, 5]);
  bitmap.mark(gfn(7), null);
  expect([bitmap.isOpen(gfn(5)), bitmap.isOpen(gfn(6)), bitmap.isOpen(gfn(7))]).toEqual([
    true,
    false,
    true,
  ]);
  expect(bitmap.close(range(1, 15))).toEqual([1, 5]);
  expect(bitmap.close(range(0, 16))).toEqual([0]);
  expect(bitmap.report(range(0, 16))).toEqual([7]);
  bitmap.end();
  expect([bitmap.report(range(0, 16)), bitmap.close(range(0, 16))]).toEqual([[], []]);
  expect(bitmap.isFull(0)).toBe(false);
});

describe("reverse maps", () => {
  test.each([
    [1, 1],
    [2, 512],
  ])("of level %i know each entry of a page, and forget one by one", (level, span) => {
    const map = new ReverseMap(4096, level);
    expect(map.entries(gfn(3 * span))).toEqual([]);
    expect([7, 8, 9].map((ref) => map.add(gfn(3 * span), ref))).toEqual([1, 2, 3]);
    expect(map.add(gfn(4 * span), 1)).toBe(1);
    expect(map.entries(gfn(3 * span + span - 1))).toEqual([7, 8, 9]);
    map.remove(gfn(3 * span), 8);
    expect(map.entries(gfn(3 * span))).toEqual([7, 9]);
    map.remove(gfn(3 * span), 7);
    expect(map.entries(gfn(3 * span))).toEqual([9]);
    expect(map.add(gfn(3 * span), 10)).toBe(2);
    map.remove(gfn(3 * span), 10);
    map.remove(gfn(3 * span), 9);
    expect([map.entries(gfn(3 * span)), map.entries(gfn(4 * span))]).toEqual([[], [1]]);
  });

  test("of trap-on-write shadows do the same", () => {
    const map = new FrameMap();
    map.remove(gfn(1), 5);
    for (const place of [5, 6, 7]) map.add(gfn(1), place);
    expect(map.of(gfn(1))).toEqual([5, 6, 7]);
    map.remove(gfn(1), 5);
    expect(map.of(gfn(1)).toSorted((a, b) => a - b)).toEqual([6, 7]);
    map.remove(gfn(1), 6);
    map.remove(gfn(1), 7);
    expect(map.of(gfn(1))).toEqual([]);
    map.add(gfn(2), 8);
    expect(map.of(gfn(2))).toEqual([8]);
    map.remove(gfn(2), 8);
    expect(map.of(gfn(2))).toEqual([]);
  });
});

test("neighbours of a 2 MiB page are its frames outside the range", () => {
  expect(neighboursIn({ first: 512, frames: 512 }, { start: 512, frames: 512 })).toBe(0);
  expect(neighboursIn({ first: 512, frames: 512 }, { start: 0, frames: 4096 })).toBe(0);
  expect(neighboursIn({ first: 512, frames: 512 }, { start: 600, frames: 1 })).toBe(511);
  expect(neighboursIn({ first: 512, frames: 512 }, { start: 1000, frames: 100 })).toBe(512 - 24);
  expect(neighboursIn({ first: 512, frames: 512 }, { start: 500, frames: 13 })).toBe(511);
});

test("a PCID has another root when it is loaded with one, not at its first load", () => {
  const roots = new PcidRoots();
  const load = (root: number, pcid: number) => roots.load({ root: gfn(root), pcid, keep: true });
  expect([load(1, 0), load(1, 0), load(2, 1), load(2, 0), load(2, 0), load(1, 1)]).toEqual([
    false,
    false,
    false,
    true,
    false,
    true,
  ]);
});

describe("radix tables", () => {
  function treeOf(levels: 4 | 5 = 4): RadixTree {
    const memory = new PhysicalMemory({ guestFrames: 512, tableFrames: 64, slotsMax: 64 });
    return { memory, format: x86, root: memory.allocateTable(), levels };
  }
  const pageOf = (a: number, b: number, c: number, d: number) =>
    ((a * 512 + b) * 512 + c) * 512 + d;

  test("make the tables that are missing on the way, and no others", () => {
    const tree = treeOf();
    const { memory } = tree;
    const leaf = makePlace(tree, pageOf(1, 2, 3, 4), 1);
    expect([leaf.index, leaf.level, memory.tableBytesPeak / 4096]).toEqual([4, 1, 4]);
    expect(makePlace(tree, pageOf(1, 2, 3, 9), 1)).toEqual({ ...leaf, index: 9 });
    expect(memory.tableBytesPeak / 4096).toBe(4);
    expect(makePlace(tree, pageOf(1, 2, 7, 0), 2)).toMatchObject({ index: 7, level: 2 });
    makePlace(tree, pageOf(1, 9, 0, 0), 1);
    expect(memory.tableBytesPeak / 4096).toBe(6);
    const five = treeOf(5);
    makePlace(five, 0, 1);
    expect(five.memory.tableBytesPeak / 4096).toBe(5);
  });

  test("end a walk at a leaf or at the first entry that is not there", () => {
    const tree = treeOf();
    const { memory } = tree;
    expect(findPlace(tree, pageOf(1, 2, 3, 4))).toEqual({ table: tree.root, index: 1, level: 4 });
    const leaf = makePlace(tree, pageOf(1, 2, 3, 4), 1);
    expect(findPlace(tree, pageOf(1, 2, 3, 5))).toEqual({ ...leaf, index: 5 });
    expect(findPlace(tree, pageOf(1, 2, 4, 5))).toMatchObject({ index: 4, level: 2 });
    const large = makePlace(tree, pageOf(1, 2, 8, 0), 2);
    memory.writeEntry(large.table, large.index, 512, asLarge(present));
    expect(findPlace(tree, pageOf(1, 2, 8, 511))).toEqual(large);
    // Bit 7 of an entry at level 4 says nothing about a leaf.
    memory.writeEntry(tree.root, 5, leaf.table, asLarge(freshPage));
    expect(findPlace(tree, pageOf(5, 0, 0, 0)).level).toBeLessThan(4);
  });

  // Planted: a span that is skipped, a leaf that is visited from its middle, a hole that ends the way.
  test("are gone through leaf by leaf, holes left out, each leaf by its first page", () => {
    const tree = treeOf();
    const { memory } = tree;
    const map = (page: number, level: number) => {
      const { table, index } = makePlace(tree, page, level);
      memory.writeEntry(table, index, page % 512, level > 1 ? asLarge(present) : present);
    };
    map(pageOf(0, 0, 0, 3), 1);
    map(pageOf(0, 0, 0, 511), 1);
    map(pageOf(0, 0, 2, 0), 2);
    map(pageOf(0, 3, 0, 0), 1);
    const seen = (start: number, pages: number) => {
      const found: number[][] = [];
      forEachLeaf(tree, start, pages, ({ level }, page) => found.push([page, level]));
      return found;
    };
    const all = [
      [3, 1],
      [511, 1],
      [1024, 2],
      [3 * 512 * 512, 1],
    ];
    expect(seen(0, 4 * 512 * 512)).toEqual(all);
    expect(seen(3, 1)).toEqual(all.slice(0, 1));
    expect(seen(4, 507)).toEqual([]);
    expect(seen(4, 508)).toEqual(all.slice(1, 2));
    expect(seen(1500, 1)).toEqual(all.slice(2, 3));
    expect(seen(1536, 512 * 512)).toEqual([]);
  });

  test("split a large leaf into 512 with its rights, and are freed whole", () => {
    const tree = treeOf();
    const { memory } = tree;
    const large = makePlace(tree, 1024, 2);
    memory.writeEntry(large.table, large.index, 0x200, asLarge(kernelPage));
    splitLeaf(tree, large);
    for (const index of [0, 1, 511]) {
      const small = findPlace(tree, 1024 + index);
      expect([small.index, small.level]).toEqual([index, 1]);
      expect(memory.readLow(small.table, index)).toBe(lowHalf(0x200 + index, kernelPage));
    }
    expect(memory.readLow(large.table, large.index) & 0xfff).toBe(freshPage);
    const used = memory.tableBytesPeak / 4096;
    emptyTree(tree);
    expect(findPlace(tree, 1024)).toEqual({ table: tree.root, index: 0, level: 4 });
    // All but the root are free: as many fit again without a new frame.
    for (let i = 1; i < used; i++) memory.allocateTable();
    expect(memory.tableBytesPeak / 4096).toBe(used);
  });

  test("give their A bits back once: young, and then no more", () => {
    const tree = treeOf();
    const { memory } = tree;
    const table = tree.root;
    memory.writeEntry(table, 1, 7, present | ept.accessed);
    memory.writeEntry(table, 2, 7, withDirty(present));
    const places = [1, 2].map((index) => ({ table, index }));
    expect(takeAccessed(memory, places, ept.accessed)).toBe(true);
    expect(memory.readLow(table, 1)).toBe(lowHalf(7, present));
    expect(memory.readLow(table, 2)).toBe(lowHalf(7, withDirty(present)));
    expect(takeAccessed(memory, places, ept.accessed)).toBe(false);
    expect(takeAccessed(memory, [], ept.accessed)).toBe(false);
  });
});

describe("guest entries", () => {
  test("give the rights of their bits, and no store to a clean page", () => {
    expect(accessOf(freshPage, 0)).toBe(ACC_ALL);
    expect(accessOf(withoutWrite(freshPage), noExecute)).toBe(ACC_USER);
    expect(withoutWriteIfClean(ACC_ALL, withDirty(0))).toBe(ACC_ALL);
    expect(withoutWriteIfClean(ACC_ALL, withAccessed(0))).toBe(withoutWrite(ACC_ALL));
  });

  test("have reserved bits by level", () => {
    const large = (frame: number) => lowHalf(frame, asLarge(present));
    expect([1, 2, 3, 4, 5].map((level) => hasReserved(large(0), 0, level))).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
    // Bit 12 is PAT in a large page; from 13 on the frame must be aligned.
    expect(hasReserved(large(1), 0, 2)).toBe(false);
    expect([2, 256].map((frame) => hasReserved(large(frame), 0, 2))).toEqual([true, true]);
    expect(hasReserved(large(512), 0, 2)).toBe(false);
    expect(hasReserved(large(512), 0, 3)).toBe(true);
    expect(hasReserved(large(2 ** 17), 0, 3)).toBe(true);
    expect(hasReserved(large(2 ** 18), 0, 3)).toBe(false);
    // At level 1 the bit is PAT, and any frame will do.
    expect(hasReserved(large(2), 0, 1)).toBe(false);
    expect(hasReserved(lowHalf(2, present), 0, 2)).toBe(false);
    expect(hasReserved(present, 0x1000, 1)).toBe(true);
    expect(hasReserved(present, noExecute | 0xfff, 1)).toBe(false);
  });
});
