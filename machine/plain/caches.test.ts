/** What TLBs and walk caches keep, and what each invalidation takes from them. */
import { describe, expect, test } from "vitest";
import type { Gfn, Vpn } from "../address.ts";
import * as bits from "../entry.ts";
import { PF_FETCH, PF_PRESENT, PF_USER } from "../page-fault.ts";
import { FETCH, STORE, USER } from "../mmu.ts";
import { type NestedShape, TestMachine, tinyPreset, units, userWritable } from "./fixture.ts";

const ept: NestedShape = { levels: 4, format: "ept", accessedDirty: false, order: 0 };
const globalFlags = userWritable | bits.G;
const vpn = 0x1_2345_6789 as Vpn;
/** Another 4 KiB page of the same 2 MiB, in the other L1 set. */
const neighbour = (vpn + 1) as Vpn;

describe.each(units)("the %s unit", (_name, factory) => {
  const cached = (shape?: NestedShape) => new TestMachine(factory, tinyPreset, 4, shape);

  /** Does an access to the page need no walk? (It leaves the page cached either way.) */
  function isCached(machine: TestMachine, page: number, kind = 0): boolean {
    machine.counts();
    machine.access(page, kind);
    return machine.counts().walks === 0;
  }

  /** Two neighbouring pages, cached. */
  function twoPages(flags = userWritable, shape?: NestedShape): TestMachine {
    const machine = cached(shape);
    machine.map(vpn, 600, { flags });
    machine.map(neighbour, 601, { flags });
    machine.access(vpn);
    machine.access(neighbour);
    return machine;
  }

  test("a page is found in the first level, then in the second, then by a walk", () => {
    const machine = twoPages();
    expect(machine.counts()).toMatchObject({ accesses: 2, stlbMisses: 2, walks: 2 });
    machine.access(vpn);
    expect(machine.counts()).toMatchObject({ accesses: 1, l1Hits: 1, walks: 0 });
    // The first fetch finds in the shared second level what the read entered.
    machine.access(vpn, FETCH);
    machine.access(vpn, FETCH);
    expect(machine.counts()).toMatchObject({ fetches: 2, stlbHits: 1, l1Hits: 1, walks: 0 });
  });

  test("the least recently used page of a full set is the one that goes", () => {
    const machine = cached();
    const sets = 4;
    for (let i = 0; i < 4; i++) machine.map(i * sets, 600 + i);
    const touch = (...pages: number[]) => pages.map((i) => isCached(machine, i * sets));
    expect(touch(0, 1, 2)).toEqual([false, false, false]);
    // Two ways in L1: page 0 comes from the second level, which makes it the most recent there.
    expect(touch(0, 3)).toEqual([true, false]);
    expect(touch(0, 2, 3, 1)).toEqual([true, true, true, false]);
  });

  test("the first store to a page that was only read walks to set D, once", () => {
    const machine = twoPages();
    machine.counts();
    machine.access(vpn, STORE);
    machine.access(vpn, STORE);
    const expected = { l1Hits: 2, dirtyAssists: 1, walks: 1, dirtyBitsSet: 1, stlbMisses: 0 };
    expect(machine.counts()).toMatchObject(expected);
    expect(machine.guestLow(vpn) & bits.D).toBe(bits.D);
    // Room for two pages in its L1 set: pushed out, it comes back from the second level with D.
    for (const other of [vpn + 2, vpn + 4]) {
      machine.map(other, 700);
      machine.access(other);
    }
    machine.counts();
    machine.access(vpn, STORE);
    expect(machine.counts()).toMatchObject({ stlbHits: 1, walks: 0, dirtyAssists: 0 });
  });

  test("a walk starts below the deepest walk-cache entry that covers the page", () => {
    const machine = cached();
    for (const page of [0, 1, 512, 512 ** 2, 512 ** 3]) machine.map(page, 600 + (page % 97));
    const references = [0, 1, 512, 512 ** 2, 512 ** 3].map((page) => machine.cost(page)[0]);
    expect(references).toEqual([4, 1, 2, 3, 4]);
    machine.mmu.flushLinear();
    machine.counts();
    machine.access(0);
    machine.access(1);
    machine.access(512);
    expect(machine.counts()).toMatchObject({
      pwcHitsLevel2: 1,
      pwcHitsLevel3: 1,
      pwcHitsLevel4: 0,
    });
  });

  test("nested TLB and nested walk caches shorten a two-dimensional walk", () => {
    const machine = twoPages(userWritable, ept);
    machine.mmu.flushLinear();
    machine.counts();
    machine.access(vpn);
    const { walkReferencesGuest, nestedTlbHits, nestedTlbMisses } = machine.counts();
    expect([walkReferencesGuest, nestedTlbHits + nestedTlbMisses]).toEqual([4, 5]);
    expect(nestedTlbHits).toBeGreaterThan(0);
    machine.mmu.flushNested();
    machine.counts();
    machine.access(vpn);
    // The guest's tables share a nested level-1 table (4 references, then 1 each), the page has another (2).
    const expected = { nestedPwcHitsLevel2: 3, nestedPwcHitsLevel3: 1, walkReferencesNested: 9 };
    expect(machine.counts()).toMatchObject(expected);
  });

  test("INVLPG drops the page, and all walk-cache entries of the PCID with it", () => {
    const machine = twoPages();
    const far = 512 ** 3 + 5;
    machine.map(far, 602);
    machine.map(far + 1, 603);
    machine.access(far);
    machine.mmu.invalidatePage(vpn);
    expect(isCached(machine, neighbour)).toBe(true);
    // Nothing of the far page's path was named, and yet its walk caches went.
    expect(machine.cost(far + 1)).toEqual([4, 0]);
    expect(isCached(machine, vpn)).toBe(false);
    machine.mmu.invalidatePage(vpn);
    expect(machine.counts().flushesPage).toBe(1);
  });

  test("INVLPG drops a global page under any PCID, and only its own PCID's walk caches", () => {
    const machine = twoPages(globalFlags);
    machine.mmu.setRoot({ frame: machine.guest.root, pcid: 1 });
    expect(isCached(machine, vpn)).toBe(true);
    machine.mmu.invalidatePage(vpn);
    machine.mmu.setRoot({ frame: machine.guest.root, pcid: 0 });
    expect(isCached(machine, neighbour)).toBe(true);
    expect(machine.cost(vpn)).toEqual([1, 0]);
  });

  test("INVPCID of an address leaves global pages and other PCIDs alone", () => {
    const machine = twoPages();
    machine.map(neighbour, 601, { flags: globalFlags });
    machine.mmu.flushLinear();
    machine.access(vpn);
    machine.access(neighbour);
    machine.mmu.invalidatePageOf(vpn, 5);
    machine.mmu.invalidatePageOf(neighbour, 0);
    expect([isCached(machine, vpn), isCached(machine, neighbour)]).toEqual([true, true]);
    machine.mmu.invalidatePageOf(vpn, 0);
    expect(machine.cost(vpn)).toEqual([4, 0]);
  });

  test("a page fault drops the page and the walk-cache entries that cover it, no others", () => {
    const machine = twoPages();
    const far = 512 ** 3 + 5;
    machine.map(far, 602);
    machine.map(far + 1, 603);
    machine.access(far);
    machine.mmu.invalidateFault(vpn);
    expect(machine.cost(far + 1)).toEqual([1, 0]);
    expect(isCached(machine, neighbour)).toBe(true);
    expect(machine.cost(vpn)).toEqual([4, 0]);
    expect(machine.counts().flushesPage).toBe(0);
  });

  test("a CR3 flush drops the context and keeps global pages", () => {
    const machine = twoPages();
    machine.map(neighbour, 601, { flags: globalFlags });
    machine.mmu.flushLinear();
    machine.access(vpn);
    machine.access(neighbour);
    machine.mmu.flushContext(0);
    expect(isCached(machine, neighbour)).toBe(true);
    expect(machine.cost(vpn)).toEqual([4, 0]);
    machine.mmu.flushNonGlobal();
    expect(isCached(machine, neighbour)).toBe(true);
    machine.mmu.flushLinear();
    expect(isCached(machine, neighbour)).toBe(false);
  });

  test("G is ignored without CR4.PGE", () => {
    const machine = cached();
    machine.configure({ globalPages: false });
    machine.map(vpn, 600, { flags: globalFlags });
    machine.access(vpn);
    machine.mmu.flushContext(0);
    expect(isCached(machine, vpn)).toBe(false);
  });

  test("translations of one PCID are not another's, and come back with their own", () => {
    const machine = twoPages();
    const other = machine.guest.root;
    machine.mmu.setRoot({ frame: other, pcid: 1 });
    expect(machine.cost(vpn)).toEqual([4, 0]);
    machine.mmu.flushContext(1);
    machine.mmu.setRoot({ frame: other, pcid: 0 });
    expect(isCached(machine, vpn)).toBe(true);
    machine.configure({ vpid: 2 });
    expect(isCached(machine, vpn)).toBe(false);
    machine.configure({ nested: null });
    expect(isCached(machine, neighbour)).toBe(true);
  });

  test("a page that becomes global takes the place of what other PCIDs had for it", () => {
    const machine = twoPages();
    machine.map(vpn, 700, { flags: globalFlags });
    machine.mmu.setRoot({ frame: machine.guest.root, pcid: 1 });
    machine.access(vpn);
    machine.mmu.setRoot({ frame: machine.guest.root, pcid: 0 });
    expect(isCached(machine, vpn)).toBe(true);
    expect(machine.mmu.lastPfn()).toBe(700);
  });

  test("a page that becomes global by a first store does so in the second level too", () => {
    const machine = cached();
    machine.map(vpn, 600);
    for (const pcid of [1, 0]) {
      machine.mmu.setRoot({ frame: machine.guest.root, pcid });
      machine.access(vpn);
    }
    machine.map(vpn, 700, { flags: globalFlags });
    machine.access(vpn, STORE);
    for (const other of [vpn + 2, vpn + 4]) {
      machine.map(other, 601);
      machine.access(other);
    }
    machine.mmu.setRoot({ frame: machine.guest.root, pcid: 1 });
    machine.counts();
    machine.access(vpn);
    expect(machine.counts()).toMatchObject({ stlbHits: 1, walks: 0 });
    expect(machine.mmu.lastPfn()).toBe(700);
  });

  test("a 4 KiB page that turns out to be part of a cached 2 MiB page is found once", () => {
    const machine = twoPages();
    machine.map(vpn, 2048, { level: 2 });
    // Drops the walk caches that still lead to the level-1 table, but neither of the pages.
    machine.mmu.invalidateFault((vpn + 50) as Vpn);
    machine.access(vpn + 2);
    machine.map(vpn, 2560, { level: 2 });
    machine.counts();
    machine.access(vpn, STORE);
    machine.access(vpn + 2);
    expect(machine.counts()).toMatchObject({ l1Hits: 2, dirtyAssists: 1, walks: 1 });
    expect(machine.mmu.lastPfn()).toBe(2560 + ((vpn + 2) % 512));
  });

  test("a 2 MiB page is one entry, but 4 KiB entries where the host maps it in 4 KiB", () => {
    const inner = (vpn - (vpn % 512)) as Vpn;
    const host2m: NestedShape = { ...ept, order: 9 };
    for (const [machine, whole] of [
      [cached(), true],
      [cached(host2m), true],
      [cached(ept), false],
    ] as const) {
      machine.map(inner, 2048, { level: 2 });
      machine.access(inner);
      expect(isCached(machine, inner + 511)).toBe(whole);
      expect(machine.mmu.lastPfn()).toBe(machine.hostOf(2048 + 511));
      machine.mmu.invalidatePage((inner + 511) as Vpn);
      // Whole or in pieces: INVLPG of any address drops all of a large guest page (SDM 4.10.2.3).
      expect(isCached(machine, inner)).toBe(false);
    }
  });

  test("a 1 GiB page is split for an L1 that has no such bank", () => {
    const machine = cached();
    machine.map(0, 0, { level: 3 });
    machine.access(5, FETCH);
    machine.access(6, FETCH);
    machine.access(600, FETCH);
    machine.access(601, FETCH);
    expect(machine.counts()).toMatchObject({ walks: 1, l1Hits: 2, stlbHits: 1, stlbMisses: 1 });
    expect(machine.mmu.lastPfn()).toBe(601);
  });

  test("a cached supervisor page does not serve the user, nor an NX page a fetch", () => {
    const machine = cached();
    machine.map(vpn, 600, { flags: bits.P | bits.W, nx: bits.NX_HIGH });
    expect(machine.access(vpn, STORE)).toBe(true);
    expect(machine.access(vpn, USER)).toBe(false);
    expect(machine.mmu.stopError()).toBe(PF_PRESENT | PF_USER);
    expect(machine.access(vpn, FETCH)).toBe(false);
    expect(machine.mmu.stopError()).toBe(PF_PRESENT | PF_FETCH);
  });

  test("an EPT violation drops the guest-physical mapping of its frame", () => {
    const machine = twoPages(userWritable, ept);
    machine.mapNested(600, 900);
    machine.mmu.invalidateFault(vpn);
    machine.access(vpn);
    expect(machine.mmu.lastPfn()).toBe(machine.hostOf(600));
    machine.mmu.invalidateViolation(600 as Gfn, vpn);
    machine.access(vpn);
    expect(machine.mmu.lastPfn()).toBe(900);
    expect(machine.counts().flushesNested).toBe(0);
  });

  test("another nested root or another paging mode starts from nothing, the same one does not", () => {
    const machine = twoPages(userWritable, ept);
    machine.configure({ nested: { ...machine.nested! } });
    expect(isCached(machine, vpn)).toBe(true);
    machine.configure({ nested: null });
    machine.configure({});
    machine.counts();
    machine.access(vpn);
    expect(machine.counts()).toMatchObject({ walkReferencesGuest: 4, walkReferencesNested: 9 });
  });

  test("a stop counts its walk and nothing else", () => {
    const machine = cached();
    machine.map(vpn, 600);
    machine.map(neighbour, 0, { flags: 0 });
    machine.access(vpn);
    const checksum = machine.mmu.checksum();
    expect(checksum).toBe(600);
    machine.counts();
    expect(machine.access(neighbour, STORE)).toBe(false);
    const { accesses, stores, walks, stlbMisses, walkReferencesGuest } = machine.counts();
    expect([accesses, stores, walks, stlbMisses, walkReferencesGuest]).toEqual([0, 0, 1, 0, 1]);
    expect([machine.mmu.checksum(), machine.mmu.lastPfn()]).toEqual([checksum, 600]);
  });
});
