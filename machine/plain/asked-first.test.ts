/**
 * Tables that are asked before the guest's own (HLAT), by both units: what cold walks read, and who decides.
 *
 * Seen failing with: the restart bit ignored (the entry's address bits are taken for a table's), walk caches asked before
 * these tables (a page that the guest has remapped leads where it says), the prefix compared with another bit, a page kept
 * as large as the guest's tables have it although an entry for less sent the walk back (found by the fuzzer's policies).
 */
import { describe, expect, test } from "vitest";
import type { Gfn, Pfn } from "../address.ts";
import { A, D, P, PS, U, W } from "../entry.ts";
import { ept } from "../formats/ept.ts";
import { HLAT_RESTART, x86 } from "../formats/x86.ts";
import { PhysicalMemory } from "../memory.ts";
import { presets } from "../presets.ts";
import { eptStage, twoStages, twoStagesAsking } from "../stages.ts";
import { units } from "./fixture.ts";
import { counted, hostRoom, load, Tables } from "./hand-made-tables.ts";

const guestFrames = 1024;
const hostOffset = 256;
const shape = { levels: 4, rootExtraBits: 0 };
const path = { shape, link: P | W | U | A | D, leaf: P | W | U | A | D };

/** In the upper half, and its neighbour by leaf, by leaf table and by half. */
const pinned = 2 ** 35 + 3 * 2 ** 18 + 5;
const neighbour = pinned + 1;
const farther = pinned + 2 ** 27;
const lower = 77;

describe.each(units)("the %s unit", (_name, factory) => {
  function machine(preset: keyof typeof presets, upperHalfOnly = true) {
    const memory = new PhysicalMemory({ guestFrames, tableFrames: 64 });
    const at = (gfn: number) => (gfn + hostOffset) as Pfn;
    const room = hostRoom(memory, guestFrames);
    const nested = new Tables(ept, room.allocate(1), room);
    for (let gfn = 0; gfn < 128; gfn++) nested.map(gfn, at(gfn), { shape, link: 7, leaf: 7 });
    const guestRoom = { ...hostRoom(memory, 1), place: at };
    const guest = new Tables(x86, guestRoom.allocate(1), guestRoom);
    for (const page of [pinned, neighbour, farther, lower]) guest.map(page, 100, path);
    const asked = new Tables(x86, guestRoom.allocate(1), guestRoom);
    const tables = asked.map(pinned, 90, path);
    for (const table of tables) {
      for (let index = 0; index < 512; index++) {
        if (memory.readLow(at(table), index) === 0) asked.set(table, index, 0, P | HLAT_RESTART);
      }
    }
    const mmu = factory(memory, presets[preset]);
    const second = eptStage(nested.root as Pfn, 4, false);
    const root = asked.root as Gfn;
    const asking = twoStagesAsking(second, () => ({
      root,
      restartBit: HLAT_RESTART,
      upperHalfOnly,
    }));
    const configure = (stages: typeof asking) =>
      mmu.configure({ stages: stages(4), writeProtect: true, globalPages: false }, 1);
    configure(asking);
    mmu.setRoot({ frame: guest.root, pcid: 0 });
    return { mmu, at, guest, nested, configure, asking, plain: twoStages(second) };
  }

  test.each([
    ["a pinned page", pinned, true, 24, 90],
    ["its neighbour, sent back by the last of four tables", neighbour, true, 44, 100],
    ["a page that the root sends back", farther, true, 29, 100],
    ["a page of the other half", lower, true, 24, 100],
    ["the same where all are asked for", lower, false, 29, 100],
  ] as const)(
    "%s takes cold walks of so many references",
    (_page, page, upper, references, frame) => {
      const { mmu, at } = machine("textbook", upper);
      expect(load(mmu, page)).toBe(true);
      expect(mmu.lastPfn()).toBe(at(frame));
      const { guest, nested } = counted(mmu);
      expect(guest + nested).toBe(references);
    },
  );

  test("walk caches of the guest's tables say nothing of a pinned page", () => {
    const { mmu, at } = machine("skylake-sp");
    // The neighbour's walk goes by the guest's tables down to the leaf table of both.
    load(mmu, neighbour);
    expect(load(mmu, pinned)).toBe(true);
    expect(mmu.lastPfn()).toBe(at(90));
  });

  test("of a large page, TLBs keep no more than the entry covers that sent the walk back", () => {
    const { mmu, at, guest, nested } = machine("skylake-sp");
    const large = { leaf: path.leaf | PS, link: path.link, shape, leafLevel: 2 };
    for (const page of [neighbour, farther]) guest.map(page, 512, large);
    nested.map(512, 512, { shape, link: 7, leaf: 7 | PS, leafLevel: 2 });
    const walks = (page: number) => {
      load(mmu, page);
      return counted(mmu).guest;
    };
    expect(walks(neighbour)).toBeGreaterThan(0);
    expect(mmu.lastPfn()).toBe(512 + (neighbour % 512));
    expect(walks(neighbour)).toBe(0);
    expect(walks(neighbour + 1)).toBeGreaterThan(0);
    expect(walks(pinned)).toBeGreaterThan(0);
    expect(mmu.lastPfn()).toBe(at(90));
    expect(walks(farther)).toBeGreaterThan(0);
    expect(walks(farther + 1)).toBe(0);
  });

  test("with other tables to ask, nothing cached before is used", () => {
    const { mmu, at, configure, asking, plain } = machine("skylake-sp");
    configure(plain);
    load(mmu, pinned);
    expect(mmu.lastPfn()).toBe(at(100));
    configure(asking);
    load(mmu, pinned);
    expect(mmu.lastPfn()).toBe(at(90));
  });
});
