/**
 * Paging-write control and guest-paging verification, by both units, on tables written by hand: A and D bits in a table
 * that is read-only, and a page that asks for such tables on the way to it.
 *
 * Seen failing with: W asked of the table as if there was no other bit; marks in tables that have neither; a table whose
 * bit walk caches forget; a page's demand that nobody hears.
 */
import { describe, expect, test } from "vitest";
import type { Pfn } from "../address.ts";
import { A, D, P, U, W } from "../entry.ts";
import { EPT_PW_HIGH, EPT_VGP_HIGH, eptPagingWrite } from "../formats/ept.ts";
import { x86 } from "../formats/x86.ts";
import { PhysicalMemory } from "../memory.ts";
import { type Mmu, STOP_EPT_VIOLATION, STORE } from "../mmu.ts";
import { presets } from "../presets.ts";
import { eptPagingWriteStage, twoStages } from "../stages.ts";
import { units } from "./fixture.ts";
import { hostRoom, Tables } from "./hand-made-tables.ts";

const guestFrames = 256;
const shape = { levels: 4, rootExtraBits: 0 };
const [page, neighbour, aliasOfTable] = [5, 6, 7] as const;
const frame = 90;
const readOnly = 1;
const readWrite = 3;

describe.each(units)("the %s unit", (_name, factory) => {
  /** A guest whose leaf table lies in a read-only frame with this high half, its page in one with `pageHigh`. */
  function machine(accessedDirty: boolean, tableHigh: number, pageHigh = 0, leaf = P | W | U) {
    const memory = new PhysicalMemory({ guestFrames: 2 * guestFrames, tableFrames: 64 });
    const nested = new Tables(eptPagingWrite, guestFrames, hostRoom(memory, guestFrames + 1));
    const guest = new Tables(x86, 1, hostRoom(memory, 2));
    const path = { shape, link: P | W | U | A, leaf };
    const table = guest.map(page, frame, path).at(-1)!;
    guest.map(neighbour, frame, path);
    guest.map(aliasOfTable, table, { ...path, leaf: P | W | U | A | D });
    const leaves: number[] = [];
    for (let gfn = 0; gfn < 128; gfn++) {
      leaves[gfn] = nested.map(gfn, gfn, { shape, link: 7, leaf: readWrite }).at(-1)!;
      const high = gfn < frame ? EPT_PW_HIGH : 0;
      nested.set(leaves[gfn]!, gfn, gfn, readWrite, high);
    }
    nested.set(leaves[table]!, table, table, readOnly, tableHigh);
    nested.set(leaves[frame]!, frame, frame, readWrite, pageHigh);
    const mmu = factory(memory, presets["skylake-sp"]);
    const stages = twoStages(eptPagingWriteStage(nested.root as Pfn, 4, accessedDirty))(4);
    mmu.configure({ stages, writeProtect: true, globalPages: false }, 1);
    mmu.setRoot({ frame: guest.root, pcid: 0 });
    const entry = () => memory.readLow(table as Pfn, page) & (A | D);
    return { mmu, table, entry };
  }

  /** The frame whose violation stopped a store to the page, or null. */
  function stopped(mmu: Mmu, vpn: number): { gfn: number; duringWalk: boolean } | null {
    mmu.low[0] = vpn << 12;
    mmu.high[0] = STORE;
    if (mmu.run(0, 1) === 1) return null;
    expect(mmu.stopReason()).toBe(STOP_EPT_VIOLATION);
    return { gfn: mmu.stopGfn(), duringWalk: mmu.stopDuringWalk() };
  }

  test.each([false, true])("EPT's A and D bits %s: walks mark where the bit says so", (ad) => {
    const { mmu, table, entry } = machine(ad, EPT_PW_HIGH);
    expect(stopped(mmu, page)).toBeNull();
    expect(entry()).toBe(A | D);
    expect(stopped(mmu, aliasOfTable)).toEqual({ gfn: table, duringWalk: false });
  });

  test.each([false, true])("EPT's A and D bits %s: and nowhere else", (ad) => {
    const { mmu, table, entry } = machine(ad, 0);
    expect(stopped(mmu, page)).toEqual({ gfn: table, duringWalk: true });
    expect(entry()).toBe(0);
  });

  test("a page that asks for such tables is reached through them", () => {
    const { mmu } = machine(false, EPT_PW_HIGH, EPT_VGP_HIGH);
    for (const vpn of [page, neighbour]) expect(stopped(mmu, vpn)).toBeNull();
  });

  test("and by no others, nor by what walk caches know of them", () => {
    const { mmu } = machine(false, 0, EPT_VGP_HIGH, P | W | U | A | D);
    for (const vpn of [page, neighbour]) {
      expect(stopped(mmu, vpn)).toEqual({ gfn: frame, duringWalk: false });
    }
  });
});
