/** The translation hardware against closed forms and the manuals' rules, one small machine at a time. */
import { describe, expect, test } from "vitest";
import type { Gfn, PageOrder, PagingLevels, Pfn, Vpn } from "../address.ts";
import * as bits from "../entry.ts";
import { lowHalf } from "../formats/x86-entry.ts";
import { PF_FETCH, PF_PRESENT, PF_RESERVED, PF_USER, PF_WRITE } from "../page-fault.ts";
import {
  FETCH,
  STOP_EPT_VIOLATION,
  STOP_NONE,
  STOP_OUTSIDE,
  STOP_PAGE_FAULT,
  STOP_PML_FULL,
  STORE,
  USER,
} from "../mmu.ts";
import { presets } from "../presets.ts";
import { type NestedShape, rwx, TestMachine, tinyPreset, units, userWritable } from "./fixture.ts";

const readOnly = bits.P | bits.U;
const ept: NestedShape = { levels: 4, format: "ept", accessedDirty: false, order: 0 };
const eptAd: NestedShape = { ...ept, accessedDirty: true };
const npt: NestedShape = { ...ept, format: "npt", accessedDirty: true };
const vpn = 0x1_2345_6789;

describe.each(units)("the %s unit", (_name, factory) => {
  const native = (levels: PagingLevels = 4) => new TestMachine(factory, presets.textbook, levels);
  const nested = (shape: NestedShape, levels: PagingLevels = 4) =>
    new TestMachine(factory, presets.textbook, levels, shape);
  const cached = (shape?: NestedShape) => new TestMachine(factory, tinyPreset, 4, shape);

  describe("a cold walk", () => {
    test.each([4, 5] as const)("of a native page costs its %i levels", (levels) => {
      const machine = native(levels);
      machine.map(vpn, 600);
      expect(machine.cost(vpn)).toEqual([levels, 0]);
      expect(machine.mmu.lastPfn()).toBe(600);
    });

    test.each<[string, PagingLevels, number, PagingLevels, PageOrder, number, number]>([
      ["4-on-4", 4, 1, 4, 0, 4, 20],
      ["5-on-5", 5, 1, 5, 0, 5, 30],
      ["4-on-5", 4, 1, 5, 0, 4, 25],
      ["5-on-4", 5, 1, 4, 0, 5, 24],
      ["a 4 KiB page on 2 MiB host pages", 4, 1, 4, 9, 4, 15],
      ["a 2 MiB page on 4 KiB host pages", 4, 2, 4, 0, 3, 16],
      ["a 2 MiB page on 2 MiB host pages", 4, 2, 4, 9, 3, 12],
    ])("of %s costs its closed form", (_case, levels, leaf, nestedLevels, order, guest, host) => {
      for (const format of ["ept", "npt"] as const) {
        const accessedDirty = format === "npt";
        const shape = { levels: nestedLevels, format, accessedDirty, order };
        const machine = nested(shape, levels);
        const frame = leaf === 2 ? 2048 : 600;
        machine.map(vpn, frame, { level: leaf });
        // The first walk sets A at every level and D at the leaf, which costs no reference: silicon knows from the
        // translation that led to a table whether it may write there.
        expect(machine.cost(vpn, STORE)).toEqual([guest, host]);
        expect(machine.cost(vpn, STORE)).toEqual([guest, host]);
        const within = leaf === 2 ? vpn % 512 : 0;
        expect(machine.mmu.lastPfn()).toBe(machine.hostOf(frame + within));
        expect(machine.walkLengths[guest + host]).toBeGreaterThan(0);
      }
    });

    test("lists its references in the order they were made, the root's translation first", () => {
      const machine = nested(ept);
      machine.map(vpn, 600, { flags: userWritable | bits.A });
      machine.access(vpn);
      machine.access(vpn);
      const shape = machine.mmu.lastWalk().map(({ dimension, level }) => `${dimension[0]}${level}`);
      const nestedWalk = ["n4", "n3", "n2", "n1"];
      const expected = [4, 3, 2, 1].flatMap((level) => [...nestedWalk, `g${level}`]);
      expect(shape).toEqual([...expected, ...nestedWalk]);
      const last = machine.mmu.lastWalk().findLast(({ dimension }) => dimension === "guest")!;
      expect(last.low).toBe(lowHalf(600, userWritable | bits.A));
      expect(last.index).toBe(vpn % 512);
    });
  });

  describe("A and D bits", () => {
    test("a read sets A at every level and a store D at the leaf, once", () => {
      const machine = native();
      machine.map(vpn, 600);
      machine.access(vpn);
      expect(machine.counts()).toMatchObject({ accessedBitsSet: 4, dirtyBitsSet: 0 });
      machine.access(vpn, STORE);
      machine.access(vpn, STORE);
      expect(machine.counts()).toMatchObject({ accessedBitsSet: 0, dirtyBitsSet: 1 });
      expect(machine.guestLow(vpn)).toBe(lowHalf(600, userWritable | bits.A | bits.D));
      expect(machine.guestLow(vpn, 2) & (bits.A | bits.D)).toBe(bits.A);
    });

    test("a denied store leaves the leaf's bits alone, but not the A bits above", () => {
      const machine = native();
      machine.map(vpn, 600, { flags: readOnly });
      expect(machine.access(vpn, STORE)).toBe(false);
      expect(machine.guestLow(vpn)).toBe(lowHalf(600, readOnly));
      expect(machine.counts()).toMatchObject({ accessedBitsSet: 3, walks: 1, accesses: 0 });
    });

    test("with EPT A/D and with NPT a walk dirties the guest tables, a read not the data page", () => {
      for (const [shape, accessed, dirty] of [
        [eptAd, bits.EPT_A, bits.EPT_D],
        [npt, bits.A, bits.D],
      ] as const) {
        const machine = nested(shape);
        machine.map(vpn, 600);
        machine.access(vpn);
        expect(machine.nestedLow(machine.guest.root) & (accessed | dirty)).toBe(accessed | dirty);
        expect(machine.nestedLow(600) & (accessed | dirty)).toBe(accessed);
        machine.access(vpn, STORE);
        expect(machine.nestedLow(600) & (accessed | dirty)).toBe(accessed | dirty);
      }
    });

    test("without EPT A/D a walk only reads guest tables, unless it must set a bit in one", () => {
      const machine = nested(ept);
      machine.map(vpn, 600);
      const { root } = machine.guest;
      machine.mapNested(root, machine.hostOf(root), { flags: bits.EPT_R });
      expect(machine.access(vpn)).toBe(false);
      expect(machine.mmu.stopReason()).toBe(STOP_EPT_VIOLATION);
      expect(machine.mmu.stopGfn()).toBe(root);
      expect(machine.mmu.stopKind()).toBe("write");
      expect(machine.mmu.stopDuringWalk()).toBe(true);
      machine.mapNested(root, machine.hostOf(root));
      expect(machine.access(vpn)).toBe(true);
      machine.mapNested(root, machine.hostOf(root), { flags: bits.EPT_R });
      expect(machine.access(vpn)).toBe(true);
      expect(machine.nestedLow(600)).toBe(lowHalf(machine.hostOf(600), rwx));
    });
  });

  describe("a table that a walk cache knows", () => {
    // Seen failing with the walk cache forgetting the right: the walk writes a table that EPT has read-only.
    test.each([
      [bits.EPT_R, false],
      [rwx, true],
    ] as const)("mapped by EPT with rights %i lets A and D be set: %s", (flags, done) => {
      const machine = cached(ept);
      machine.map(vpn, 600);
      machine.map(vpn + 1, 601, { flags: userWritable | bits.A | bits.D });
      const table = machine.guestTable(vpn);
      // Sets A above the leaf.
      machine.access(vpn + 1);
      machine.mapNested(table, machine.hostOf(table), { flags });
      machine.mmu.flushNested();
      // Enters the table into the walk cache; nothing is set.
      expect(machine.access(vpn + 1, STORE)).toBe(true);
      machine.counts();
      expect(machine.access(vpn, STORE)).toBe(done);
      expect(machine.counts()).toMatchObject({
        pwcHitsLevel2: 1,
        accessedBitsSet: done ? 1 : 0,
        dirtyBitsSet: done ? 1 : 0,
      });
      if (done) return;
      const { mmu } = machine;
      expect([mmu.stopReason(), mmu.stopGfn()]).toEqual([STOP_EPT_VIOLATION, table]);
      expect([mmu.stopKind(), mmu.stopDuringWalk()]).toEqual(["write", true]);
    });
  });

  describe("permissions", () => {
    test.each<[string, number, number, number, number]>([
      ["a store to a read-only page", readOnly, 0, STORE, PF_PRESENT | PF_WRITE],
      ["a user read of a supervisor page", bits.P, 0, USER, PF_PRESENT | PF_USER],
      ["a fetch from an NX page", userWritable, bits.NX_HIGH, FETCH, PF_PRESENT | PF_FETCH],
      ["a user store to an absent page", 0, 0, USER | STORE, PF_USER | PF_WRITE],
      ["a read of an absent page", 0, 0, 0, 0],
    ])("%s faults with its error code", (_case, flags, nx, kind, error) => {
      for (const machine of [native(), nested(npt), cached()]) {
        machine.map(vpn, 600, { flags, nx });
        expect(machine.access(vpn, kind)).toBe(false);
        expect(machine.mmu.stopReason()).toBe(STOP_PAGE_FAULT);
        expect(machine.mmu.stopError()).toBe(error);
        machine.map(vpn, 600);
        expect(machine.access(vpn, kind)).toBe(true);
        expect(machine.mmu.stopReason()).toBe(STOP_NONE);
      }
    });

    test("a right missing at an upper level is missing", () => {
      const machine = native();
      machine.map(vpn, 600);
      machine.map(vpn, 0, { level: 3, flags: 0 });
      expect(machine.access(vpn)).toBe(false);
      const upper = new TestMachine(factory, tinyPreset, 4);
      upper.map(vpn, 600);
      setFlags(upper, vpn, 3, readOnly);
      expect(upper.access(vpn)).toBe(true);
      upper.map(vpn, 600);
      // The walk starts below the level-3 entry now: the PDE cache has to know what that one said.
      expect(upper.access(vpn, STORE)).toBe(false);
      expect(upper.mmu.stopError()).toBe(PF_PRESENT | PF_WRITE);
    });

    test("without WP the supervisor stores to read-only pages, the user does not", () => {
      const machine = cached();
      machine.map(vpn, 600, { flags: readOnly });
      machine.configure({ writeProtect: false });
      expect(machine.access(vpn, STORE)).toBe(true);
      expect(machine.access(vpn, STORE | USER)).toBe(false);
      machine.configure({ nested: null });
      expect(machine.access(vpn, STORE)).toBe(false);
    });

    test.each([
      ["high address bits", 1, 0x0008_0000, 0],
      ["PS at level 4", 4, 0, bits.PS],
      ["address bits inside a 2 MiB page", 2, 0, bits.PS | 0x2000],
      ["address bits inside a 1 GiB page", 3, 0, bits.PS | 0x2000_0000],
    ])("%s are reserved", (_case, level, high, low) => {
      const machine = native();
      machine.map(vpn, 600);
      const { pfn, index } = { pfn: tableOf(machine, level), index: indexOf(level) };
      machine.memory.write(pfn, index, machine.memory.readLow(pfn, index) | low, high);
      expect(machine.access(vpn, USER)).toBe(false);
      expect(machine.mmu.stopError()).toBe(PF_PRESENT | PF_USER | PF_RESERVED);
    });

    test("PAT of a large page is neither reserved nor part of its frame", () => {
      const machine = native();
      machine.map(vpn, 2048 | 1, { level: 2 });
      expect(machine.access(vpn)).toBe(true);
      expect(machine.mmu.lastPfn()).toBe(2048 + (vpn % 512));
    });

    test("a frame that the machine lacks stops the access", () => {
      const machine = native();
      machine.map(vpn, 1_000_000);
      expect(machine.access(vpn)).toBe(false);
      expect(machine.mmu.stopReason()).toBe(STOP_OUTSIDE);
      expect(machine.mmu.stopGfn()).toBe(1_000_000);
    });

    test.each([
      ["read", 0, 0],
      ["write", STORE, bits.EPT_R | bits.EPT_X],
      ["fetch", FETCH, bits.EPT_R | bits.EPT_W],
    ])("a %s that the EPT denies is a violation with its details", (kind, column, flags) => {
      for (const machine of [nested(ept), cached(ept), cached(eptAd)]) {
        machine.map(vpn, 600);
        machine.mapNested(600, machine.hostOf(600), { flags });
        // Cached rights of a permitted access must not let the other one pass.
        expect(machine.access(vpn)).toBe(kind !== "read");
        expect(machine.access(vpn, column)).toBe(false);
        expect(machine.mmu.stopReason()).toBe(STOP_EPT_VIOLATION);
        expect([machine.mmu.stopKind(), machine.mmu.stopGfn()]).toEqual([kind, 600]);
        expect(machine.mmu.stopDuringWalk()).toBe(false);
        machine.mapNested(600, machine.hostOf(600));
        machine.mmu.invalidateViolation(600 as Gfn, vpn as Vpn);
        expect(machine.access(vpn, column)).toBe(true);
      }
    });

    test("a store through a cached page whose nested leaf is read-only yet dirty is a violation", () => {
      const machine = cached(eptAd);
      machine.map(vpn, 600, { flags: userWritable | bits.A | bits.D });
      const flags = bits.EPT_R | bits.EPT_A | bits.EPT_D;
      machine.mapNested(600, machine.hostOf(600), { flags });
      expect(machine.access(vpn)).toBe(true);
      expect(machine.access(vpn, STORE)).toBe(false);
      expect(machine.mmu.stopReason()).toBe(STOP_EPT_VIOLATION);
    });
  });

  describe("PML", () => {
    /** Every data page of its own guest table's 512, with the tables dirty already. */
    function logging(): TestMachine {
      const machine = cached(eptAd);
      for (let i = 0; i < 600; i++) machine.map(i, 1024 + i);
      machine.access(599);
      machine.access(0);
      machine.mmu.setPml(machine.memory.allocateTable());
      return machine;
    }

    test("logs the first write to a page at 511 and counts down", () => {
      const machine = logging();
      const buffer = machine.memory.allocateTable();
      machine.mmu.setPml(buffer);
      machine.access(7, STORE);
      machine.access(8);
      machine.access(7, STORE);
      machine.access(9, STORE);
      expect(machine.mmu.pmlIndex()).toBe(509);
      expect(machine.counts()).toMatchObject({ pmlAppends: 2 });
      expect(machine.memory.readLow(buffer, 511)).toBe((1024 + 7) * 4096);
      expect(machine.memory.readLow(buffer, 510)).toBe((1024 + 9) * 4096);
      expect(machine.memory.readLow(buffer, 509)).toBe(0);
    });

    test("512 logged writes fill the buffer and the next one stops before it changes anything", () => {
      const machine = logging();
      for (let i = 0; i < 512; i++) expect(machine.access(i, STORE)).toBe(true);
      expect(machine.mmu.pmlIndex()).toBe(-1);
      const counts = machine.counts();
      expect(counts.pmlAppends).toBe(512);
      expect(machine.access(550, STORE)).toBe(false);
      expect(machine.mmu.stopReason()).toBe(STOP_PML_FULL);
      expect(machine.mmu.stopGfn()).toBe(1024 + 550);
      expect(machine.nestedLow(1024 + 550) & (bits.EPT_A | bits.EPT_D)).toBe(0);
      expect(machine.counts()).toMatchObject({ pmlAppends: 0, accesses: 0, walks: 1 });
      machine.mmu.resetPml();
      expect(machine.access(550, STORE)).toBe(true);
      expect(machine.mmu.pmlIndex()).toBe(510);
    });
  });
});

function tableOf(machine: TestMachine, level: number): Pfn {
  machine.access(vpn);
  return machine.mmu.lastWalk().find((reference) => reference.level === level)!.pfn;
}

const indexOf = (level: number) => Math.floor(vpn / 512 ** (level - 1)) % 512;

function setFlags(machine: TestMachine, page: number, level: number, flags: number): void {
  const low = machine.guestLow(page, level);
  const pfn = tableOf(machine, level);
  machine.memory.setLow(pfn, Math.floor(page / 512 ** (level - 1)) % 512, (low & ~0xfff) | flags);
  machine.mmu.flushLinear();
}
