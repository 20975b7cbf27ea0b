/**
 * Views of a guest's memory (EPTP switching), by both units: whose cached translations an access may use, and what is dropped.
 *
 * Seen failing with, in the fast unit: contexts that do not name their view, nested translations without the epoch of theirs, a
 * fault that drops the page in one view alone (which the differential test finds too rarely).
 */
import { describe, expect, test } from "vitest";
import type { Pfn, Vpn } from "../address.ts";
import { P, U, W } from "../entry.ts";
import { ept } from "../formats/ept.ts";
import { x86 } from "../formats/x86.ts";
import { PhysicalMemory } from "../memory.ts";
import { presets } from "../presets.ts";
import { eptViewStage, twoStages } from "../stages.ts";
import { units } from "./fixture.ts";
import { counted, hostRoom, load, Tables } from "./hand-made-tables.ts";

const shape = { levels: 4, rootExtraBits: 0 };
const page = 77;
const gfn = 100;

describe.each(units)("the %s unit", (_name, factory) => {
  /** Two views that show `gfn` at frames 500 and 501 and all else alike. */
  function machine() {
    const memory = new PhysicalMemory({ guestFrames: 1024, tableFrames: 64 });
    const room = hostRoom(memory, 1024);
    const roots = [500, 501].map((shown) => {
      const view = new Tables(ept, room.allocate(1), room);
      for (let at = 0; at < 128; at++) {
        view.map(at, at === gfn ? shown : at + 256, { shape, link: 7, leaf: 7 });
      }
      return view.root as Pfn;
    }) as [Pfn, Pfn];
    const guestRoom = { ...hostRoom(memory, 1), place: (at: number) => (at + 256) as Pfn };
    const guest = new Tables(x86, guestRoom.allocate(1), guestRoom);
    guest.map(page, gfn, { shape, link: P | W | U, leaf: P | W | U });
    const mmu = factory(memory, presets["skylake-sp"]);
    const stages = twoStages(eptViewStage(roots[0], 4, false))(4);
    mmu.configure({ stages, writeProtect: true, globalPages: true }, 1);
    mmu.setRoot({ frame: guest.root, pcid: 0 });
    /** Loads the page in each view; the frames reached. */
    const look = () =>
      [1, 0].map((view) => {
        mmu.switchView(roots[view]!);
        expect(load(mmu, page)).toBe(true);
        return mmu.lastPfn();
      });
    return { mmu, look };
  }

  test("a page leads where the view says that the guest is in, and the way back reads no table", () => {
    const { mmu, look } = machine();
    expect(look()).toEqual([501, 500]);
    counted(mmu);
    expect(look()).toEqual([501, 500]);
    expect(counted(mmu)).toMatchObject({ guest: 0, nested: 0 });
  });

  test("a violation drops the page in its own view", () => {
    const { mmu, look } = machine();
    look();
    counted(mmu);
    mmu.invalidateViolation(gfn as never, page as Vpn);
    look();
    // One walk, whose upper tables went as well.
    expect(counted(mmu).guest).toBe(4);
  });

  test.each([
    ["INVLPG", "invalidatePage"],
    ["a fault", "invalidateFault"],
  ] as const)("%s drops the page in every view", (_what, invalidate) => {
    const { mmu, look } = machine();
    look();
    counted(mmu);
    mmu[invalidate](page as Vpn);
    look();
    expect(counted(mmu).guest).toBe(8);
  });
});
