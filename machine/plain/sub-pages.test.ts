/**
 * Sub-page write permissions, by both units: which stores ask them, what they read, and that nothing is kept of the answer.
 *
 * Seen failing with, in the fast unit: an SPP translation cached writable (the second store reads nothing, one to the line
 * beside it goes through); a store to a whole page judged by its first line; odd bits of the upper half taken; a page that
 * may not be read, and a large page, asked about; marks of walks asked about.
 */
import { describe, expect, test } from "vitest";
import type { Pfn } from "../address.ts";
import { A, D, P, U, W } from "../entry.ts";
import { EPT_SPP_HIGH, eptSubPage } from "../formats/ept.ts";
import { allLines, lineAt } from "../formats/sub-pages.ts";
import { x86 } from "../formats/x86.ts";
import { PhysicalMemory } from "../memory.ts";
import {
  STOP_EPT_VIOLATION,
  STOP_NONE,
  STOP_SUB_PAGE_MALFORMED,
  STOP_SUB_PAGE_MISS,
  STORE,
  WHOLE_PAGE,
} from "../mmu.ts";
import { presets } from "../presets.ts";
import { eptSubPageStage, twoStages } from "../stages.ts";
import { units } from "./fixture.ts";
import { SubPages } from "./hand-made-sub-pages.ts";
import { counted, hostRoom, load, Tables } from "./hand-made-tables.ts";

const guestFrames = 1024;
const shape = { levels: 4, rootExtraBits: 0 };
const page = 77;
const gfn = 600;
const locked = 3;
const readOnly = 5;
const fetchOnly = 4;

describe.each(units)("the %s unit", (_name, factory) => {
  /** A page whose frame EPT lets nobody store to, but for what the sub-page permissions allow: all lines but one. */
  function machine({ preset = "textbook", leaf = readOnly, marks = true, ad = false } = {}) {
    const memory = new PhysicalMemory({ guestFrames: 2 * guestFrames, tableFrames: 64 });
    const room = hostRoom(memory, guestFrames + 1);
    const nested = new Tables(eptSubPage, guestFrames, room);
    const guest = new Tables(x86, 1, hostRoom(memory, 2));
    const flags = P | W | U | (marks ? A | D : 0);
    const tables = guest.map(page, gfn, { shape, link: P | W | U | A, leaf: flags });
    for (let at = 0; at < 64; at++) nested.map(at, at, { shape, link: 7, leaf: 7 });
    const setLeaf = (of: number, low: number) => {
      const table = nested.map(of, of, { shape, link: 7, leaf: low }).at(-1)!;
      nested.set(table, of % 512, of, low, EPT_SPP_HIGH);
    };
    setLeaf(gfn, leaf);
    const subPages = new SubPages(memory);
    subPages.set(gfn, 1, "vector", ~(1 << locked));
    const mmu = factory(memory, presets[preset as keyof typeof presets]);
    const second = (root: Pfn | null) =>
      eptSubPageStage(nested.root as Pfn, 4, { accessedDirty: ad, subPages: root });
    const configure = (root: Pfn | null) => {
      const stages = twoStages(second(root))(4);
      mmu.configure({ stages, writeProtect: true, globalPages: false }, 1);
    };
    configure(subPages.root);
    mmu.setRoot({ frame: guest.root, pcid: 0 });
    /** Why a store to these bytes stops. */
    const store = (offset: number, kind = 0) => {
      mmu.low[0] = (page << 12) | offset;
      mmu.high[0] = STORE | kind;
      mmu.run(0, 1);
      return mmu.stopReason();
    };
    return { mmu, subPages, nested, setLeaf, configure, store, table: tables.at(-1)! };
  }

  test("every line by itself: a store to a locked one is a violation, to others it is none", () => {
    const { mmu, store } = machine();
    for (let line = 0; line < 32; line++) {
      const isLocked = line === locked;
      expect(store(line * 128 + 8), `line ${line}`).toBe(isLocked ? STOP_EPT_VIOLATION : STOP_NONE);
      if (!isLocked) continue;
      expect([mmu.stopGfn(), mmu.stopKind(), mmu.stopDuringWalk()]).toEqual([gfn, "write", false]);
      expect([mmu.stopIsPresent(), mmu.stopIsMalformed()]).toEqual([true, false]);
    }
  });

  test("a store to the whole page asks about all of them", () => {
    const { subPages, store } = machine();
    expect(store(0, WHOLE_PAGE)).toBe(STOP_EPT_VIOLATION);
    subPages.set(gfn, 1, "vector", allLines);
    expect(store(0, WHOLE_PAGE)).toBe(STOP_NONE);
  });

  test("a walk of 24 reads four entries more, each time: nothing is cached as writable", () => {
    const { mmu, store } = machine();
    for (let time = 0; time < 2; time++) {
      counted(mmu);
      expect(store(0)).toBe(STOP_NONE);
      expect(counted(mmu)).toMatchObject({ guest: 4, nested: 24 });
    }
  });

  test("where TLBs are, a store that was allowed leaves an entry for loads, and the next store asks again", () => {
    const { mmu, store } = machine({ preset: "skylake-sp" });
    expect(store(0)).toBe(STOP_NONE);
    counted(mmu);
    expect(load(mmu, page)).toBe(true);
    expect(counted(mmu)).toMatchObject({ guest: 0, nested: 0 });
    expect(store(0)).toBe(STOP_NONE);
    // The guest's leaf, the leaf of EPT, four entries of the permissions.
    expect(counted(mmu)).toMatchObject({ guest: 1, nested: 5 });
    expect(store(locked * 128)).toBe(STOP_EPT_VIOLATION);
  });

  test("what the table says counts at once: no flush is needed", () => {
    const { subPages, store } = machine({ preset: "skylake-sp" });
    expect(store(0)).toBe(STOP_NONE);
    subPages.set(gfn, 1, "vector", ~lineAt(0));
    expect(store(0)).toBe(STOP_EPT_VIOLATION);
    expect(store(locked * 128)).toBe(STOP_NONE);
  });

  test.each([1, 2, 3, 4])(
    "an entry at level %i with a reserved bit is malformed, in either half",
    (level) => {
      for (const half of [0, 1]) {
        const { mmu, subPages, store } = machine();
        subPages.set(gfn, level, "malformed", half);
        expect(store(0)).toBe(STOP_SUB_PAGE_MALFORMED);
        expect([mmu.stopGfn(), mmu.stopKind()]).toEqual([gfn, "write"]);
      }
    },
  );

  test.each([2, 3, 4])("one at level %i that is not valid is a miss", (level) => {
    const { mmu, subPages, store } = machine();
    subPages.set(gfn, level, "miss", 0);
    expect(store(0)).toBe(STOP_SUB_PAGE_MISS);
    expect(mmu.stopGfn()).toBe(gfn);
  });

  test("a page that may not be read, a large page and a processor without the table ask nothing", () => {
    const unreadable = machine({ leaf: fetchOnly });
    expect(unreadable.store(0)).toBe(STOP_EPT_VIOLATION);
    const off = machine();
    off.configure(null);
    expect(off.store(0)).toBe(STOP_EPT_VIOLATION);
    const large = machine();
    const table = large.nested.map(gfn, 0, { shape, link: 7, leaf: 0, leafLevel: 2 }).at(-1)!;
    large.nested.set(table, 1, 512, readOnly | 0x80, EPT_SPP_HIGH);
    counted(large.mmu);
    expect(large.store(0)).toBe(STOP_EPT_VIOLATION);
    expect(counted(large.mmu)).toMatchObject({ nested: 19 });
  });

  const marking = [
    { marks: false, ad: false },
    { marks: false, ad: true },
    // Walking a table counts as a store to it then.
    { marks: true, ad: true },
  ];
  test.each(marking)("a walk's own marks ask nothing: %j", (how) => {
    const { mmu, subPages, setLeaf, store, table } = machine(how);
    setLeaf(table, readOnly);
    subPages.set(table, 1, "vector", allLines);
    expect(store(0)).toBe(STOP_EPT_VIOLATION);
    expect([mmu.stopGfn(), mmu.stopDuringWalk()]).toEqual([table, true]);
  });
});
