/**
 * Replacement in paging-structure caches and pages of 1 GiB, counted by hand, under the fast unit and its plain twin:
 * the differential lives meet both too seldom to pin them.
 */
import { directMemory } from "../../hypervisor/direct-memory.ts";
import { describe, expect, test } from "vitest";
import type { Gfn, Pfn, Vpn } from "../../machine/address.ts";
import { type Ledger, subtract } from "../../machine/counters.ts";
import { x86 } from "../../machine/formats/x86.ts";
import {
  asGlobal,
  asLarge,
  lowHalf,
  userLink,
  withDirty,
} from "../../machine/formats/x86-entry.ts";
import { bareMetalControls } from "../../machine/controls.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { Machine } from "../../machine/machine.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { type Preset, presets } from "../../machine/presets.ts";
import { plainMmu } from "../../machine/plain/mmu.ts";

const link = userLink;
const gigabyte = 512 ** 2;

/** Bare metal on one vCPU, its tables written by hand: root 100, one PDPT 101, PDs and leaf tables as they come. */
function bare(mmu: MmuFactory, preset: Preset) {
  const machine = new Machine({
    preset,
    mmu,
    guestFrames: 2 ** 20,
    vcpus: 1,
    seed: 1,
    backing: "4k",
    nestedLevels: 4,
    placement: "scatter",
    slotsMax: 256,
  });
  const { memory } = machine;
  const vcpu = machine.vcpus[0]!;
  memory.writeEntry(100 as Pfn, 0, 101, link);
  const hypervisor: Hypervisor = {
    memory: directMemory(memory, machine.guestFrames),
    boot(cpu, cr3) {
      cpu.setControls(bareMetalControls);
      cpu.setHardwareRoot(cr3.root, cr3.pcid);
    },
    exit: () => "resume",
    host: () => [],
  };
  vcpu.boot(
    hypervisor,
    { root: 100 as Gfn, pcid: 0, keep: false },
    { writeProtect: true, globalPages: true, pcid: true, levels: 4 },
  );
  const cost = (ops: () => void): Ledger => {
    const before = vcpu.snapshot().ledger;
    ops();
    return subtract(vcpu.snapshot().ledger, before);
  };
  return { memory, vcpu, cost };
}

const units = [
  ["the fast unit", fastMmu],
  ["the plain one", plainMmu],
] as const;

describe.each(units)("%s", (_name, mmu) => {
  /** Eight PDs' worth of 2 MiB regions below one PDPT; nothing but the given cache. */
  function regions(level: 2 | 3, ways: number) {
    const pwc = { ...presets.textbook.pwc, [level]: { sets: 1, ways } };
    const { memory, vcpu, cost } = bare(mmu, { ...presets.textbook, pwc });
    const stride = level === 2 ? 512 : gigabyte;
    for (let i = 0; i < 8; i++) {
      const pd = level === 2 ? 102 : 102 + i;
      memory.writeEntry(101 as Pfn, level === 2 ? 0 : i, pd, link);
      memory.writeEntry(pd as Pfn, level === 2 ? i : 0, 120 + i, link);
      memory.write((120 + i) as Pfn, 0, lowHalf(i, withDirty(link)), 0);
    }
    const hits = level === 2 ? "pwcHitsLevel2" : "pwcHitsLevel3";
    /** Reads one page of each region in turn; which of the reads found the cache filled. */
    const read = (order: readonly number[]) =>
      order.map((i) => cost(() => vcpu.read((i * stride) as Vpn))[hits]);
    return { read };
  }

  // Planted: a tournament of four ages that never picks the last way, or mixes two of them.
  test.each([
    [2, 4],
    [3, 4],
    [2, 2],
    [2, 3],
  ] as const)(
    "a cache of level %i with %i ways forgets what was used longest ago",
    (level, ways) => {
      for (let spared = 0; spared < ways; spared++) {
        const { read } = regions(level, ways);
        const all = Array.from({ length: ways }, (_, i) => i);
        expect(read(all)).toEqual(all.map(() => 0));
        // Everything but one is used again, in an order that is not that of the ways; a newcomer takes its place.
        const others = all.filter((i) => i !== spared).toReversed();
        expect(read(others)).toEqual(others.map(() => 1));
        expect(read([ways])).toEqual([0]);
        expect(read(others), `all but ${spared}`).toEqual(others.map(() => 1));
        expect(read([spared])).toEqual([0]);
      }
    },
  );

  describe("a page of 1 GiB", () => {
    const stlb1g = { sets: 1, ways: 2 };
    function gigabytes(flags: number, change: Partial<Preset> = {}) {
      const all = bare(mmu, { ...presets.textbook, stlb1g, ...change });
      for (let i = 0; i < 4; i++) {
        all.memory.write(101 as Pfn, i, lowHalf(i * gigabyte, asLarge(link) | flags), 0);
      }
      const { vcpu, cost } = all;
      const page = (i: number, offset = 0) => (i * gigabyte + offset) as Vpn;
      const read = (i: number, offset = 0) => cost(() => vcpu.read(page(i, offset)));
      const write = (i: number, offset = 0) => cost(() => vcpu.write(page(i, offset)));
      return { ...all, page, read, write };
    }

    test("is one entry of the second level, for all its pages", () => {
      const { read, write } = gigabytes(x86.dirty);
      expect(read(0, 5)).toMatchObject({ stlbMisses: 1, walks: 1, walkReferencesGuest: 2 });
      expect(read(0, 200_000)).toMatchObject({ stlbHits: 1, walks: 0 });
      expect(write(0, 7)).toMatchObject({ stlbHits: 1, walks: 0, dirtyBitsSet: 0 });
      // Two ways: a third page takes the place of the one used longest ago.
      read(1);
      read(0);
      expect(read(2)).toMatchObject({ stlbMisses: 1 });
      expect([read(0).stlbHits, read(1).stlbHits]).toEqual([1, 0]);
    });

    // Planted: an entry that keeps what it knew before its D bit was set, so that every store walks.
    test("that is clean walks once more at its first store, whichever page that is to, and never again", () => {
      const { read, write } = gigabytes(0);
      read(0, 5);
      expect(write(0, 9)).toMatchObject({
        stlbHits: 1,
        dirtyAssists: 1,
        dirtyBitsSet: 1,
        walks: 1,
      });
      for (const offset of [9, 5, 100_000]) {
        expect(write(0, offset)).toMatchObject({ stlbHits: 1, dirtyAssists: 0, walks: 0 });
      }
      expect(read(0, 3)).toMatchObject({ stlbHits: 1, walks: 0 });
    });

    test("that is global serves every PCID, one that is not only its own", () => {
      for (const [flags, hits] of [
        [x86.dirty | x86.global, 1],
        [x86.dirty, 0],
      ] as const) {
        const { read, vcpu } = gigabytes(flags);
        read(0);
        vcpu.writeCr3(100 as Gfn, 1, true);
        expect(read(0).stlbHits).toBe(hits);
        vcpu.writeCr3(100 as Gfn, 0, true);
        expect(read(0).stlbHits).toBe(1);
      }
    });

    // Planted: a global entry beside the one of a single context that it replaces.
    test("that becomes global takes the place of what contexts had of it", () => {
      const { read, vcpu, memory } = gigabytes(x86.dirty);
      read(0);
      vcpu.writeCr3(100 as Gfn, 1, true);
      memory.write(101 as Pfn, 0, lowHalf(0, asLarge(asGlobal(withDirty(link)))), 0);
      expect(read(0).stlbHits).toBe(0);
      // Were the old one still there, it would be the one that is used here, and the global one the older of two.
      vcpu.writeCr3(100 as Gfn, 0, true);
      expect(read(0).stlbHits).toBe(1);
      expect(read(1).stlbHits).toBe(0);
      vcpu.writeCr3(100 as Gfn, 1, true);
      expect(read(0).stlbHits).toBe(1);
    });

    test("that is found global at its first store does so too", () => {
      const { read, write, vcpu, memory } = gigabytes(0);
      const load = (pcid: number) => vcpu.writeCr3(100 as Gfn, pcid, true);
      read(0);
      load(1);
      read(0);
      memory.write(101 as Pfn, 0, lowHalf(0, asLarge(asGlobal(link))), 0);
      expect(write(0)).toMatchObject({ stlbHits: 1, dirtyAssists: 1 });
      load(0);
      expect([read(0).stlbHits, read(1).stlbHits]).toEqual([1, 0]);
      load(1);
      expect(read(0).stlbHits).toBe(1);
    });

    test("goes with INVLPG of any of its pages", () => {
      const { read, vcpu, page } = gigabytes(x86.dirty);
      read(0, 5);
      read(1, 5);
      vcpu.invlpg(page(0, 250_000));
      expect([read(0).stlbHits, read(1).stlbHits]).toEqual([0, 1]);
    });
  });
});
