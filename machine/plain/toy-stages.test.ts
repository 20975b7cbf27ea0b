/**
 * Whether the walls stand where they should: silicon that the machine does not ship, each a format, a list of stages or a
 * requester and nothing else, counted by both units.
 *
 * Planted bugs that these tests find: a root's extra bits ignored (Sv39x4 reads one of four root tables), A set in an
 * entry that points to a table (RISC-V), a walk cache that forgets that the walk has switched, a switch that still
 * translates the table which it leads to (9 references instead of 8).
 */
import { describe, expect, test } from "vitest";
import { AccessUnit, type Requester } from "../access-unit.ts";
import type { Pfn, Vpn } from "../address.ts";
import { fastMmu } from "../fast.ts";
import { ept } from "../formats/ept.ts";
import { riscv } from "../formats/riscv.ts";
import { x86 } from "../formats/x86.ts";
import { PhysicalMemory } from "../memory.ts";
import { STORE } from "../mmu.ts";
import { presets } from "../presets.ts";
import { eptStage, type Stage, x86Stage } from "../stages.ts";
import { counted, hostRoom, load, Tables } from "./hand-made-tables.ts";
import { plainMmu } from "./mmu.ts";

const units = [
  ["plain", plainMmu],
  ["fast", fastMmu],
] as const;

/** The guest's frames lie in the host's memory, this far on. */
const hostOffset = 256;
const guestFrames = 1024;

/** RISC-V: pointers to tables carry neither rights nor A. */
const [link, leaf] = [0x01, 0xdf];

describe.each(units)("the %s unit", (_name, factory) => {
  test.each([0x1234, 0x3_ffff, 0x7ff_fffe])(
    "Sv39 on Sv39x4 walks 15 references, cold (page %i)",
    (page) => {
      const memory = new PhysicalMemory({ guestFrames: 4096, tableFrames: 64 });
      const room = hostRoom(memory, 4096);
      // The root of the second stage is four tables.
      const host = new Tables(riscv, room.allocate(4), room);
      // A guest of 2^41 bytes reaches into every one of them.
      const far = 3 * 2 ** 27;
      const at = (gfn: number) => (gfn >= far ? gfn - far + 1024 : gfn + hostOffset) as Pfn;
      const guestPath = { shape: { levels: 3, rootExtraBits: 0 }, link, leaf };
      const hostPath = { ...guestPath, shape: { levels: 3, rootExtraBits: 2 } };
      const guest = new Tables(riscv, 0, { ...hostRoom(memory, 1), place: at });
      guest.map(page, far + 5, guestPath);
      for (let gfn = 0; gfn < 16; gfn++) host.map(gfn, at(gfn), hostPath);
      host.map(far + 5, at(far + 5), hostPath);

      const first: Stage = {
        ...x86Stage(4),
        format: riscv,
        shape: guestPath.shape,
        through: 1,
      };
      const second: Stage = {
        ...eptStage(4096 as Pfn, 4, true),
        format: riscv,
        shape: hostPath.shape,
      };
      const mmu = factory(memory, presets.textbook);
      mmu.configure({ stages: [first, second], writeProtect: true, globalPages: false }, 1);
      mmu.setRoot({ frame: 0, pcid: 0 });
      expect(load(mmu, page)).toBe(true);
      expect(mmu.lastPfn()).toBe(at(far + 5));
      expect(counted(mmu)).toEqual({ guest: 3, nested: 12, accessed: 0 });
    },
  );

  /** Tables of a guest, EPT below them, and shadow tables that lead to the same page. */
  function agile(preset: keyof typeof presets) {
    const memory = new PhysicalMemory({ guestFrames, tableFrames: 64 });
    const at = (gfn: number) => (gfn + hostOffset) as Pfn;
    const room = hostRoom(memory, guestFrames);
    const nested = new Tables(ept, room.allocate(1), room);
    const shadow = new Tables(x86, room.allocate(1), room);
    const guest = new Tables(x86, 0, { ...hostRoom(memory, 1), place: at });
    const page = 0x1_2345_6789;
    const shape = { levels: 4, rootExtraBits: 0 };
    const x86Path = { shape, link: 0x27, leaf: 0x67 };
    guest.map(page + 1, 101, x86Path);
    const path = guest.map(page, 100, x86Path);
    for (let gfn = 0; gfn < 128; gfn++)
      nested.map(gfn, at(gfn), { shape, link: 0x107, leaf: 0x307 });
    const own = shadow.map(page, at(100), x86Path);
    const mmu = factory(memory, presets[preset]);
    const second = eptStage(nested.root as Pfn, 4, true);
    const stages = [{ ...x86Stage(4), switchBit: 0x200 }, { ...x86Stage(4), through: 2 }, second];
    mmu.configure({ stages, writeProtect: true, globalPages: false }, 1);
    /** The shadow's entry at `level` switches to the guest's table below it; 5: its root is the guest's. */
    const switchAt = (level: number): void => {
      const isRoot = level === 5;
      mmu.setRoot({ frame: isRoot ? at(0) : shadow.root, pcid: 0, isSwitched: isRoot });
      if (level === 1 || isRoot) return;
      const index = Math.floor(page / 512 ** (level - 1)) % 512;
      shadow.set(own[4 - level]!, index, at(path[5 - level]!), 0x227);
    };
    return { mmu, page, second, switchAt, found: at(100) };
  }

  test.each([
    [1, 4],
    [2, 8],
    [3, 12],
    [4, 16],
    [5, 20],
  ])("a walk that switches at level %i takes %i references", (level, references) => {
    const { mmu, page, switchAt, found } = agile("textbook");
    switchAt(level);
    expect(load(mmu, page)).toBe(true);
    expect(mmu.lastPfn()).toBe(found);
    expect(counted(mmu)).toMatchObject({ guest: 4, nested: references - 4 });
  });

  test("a walk that is nested from the start takes 24", () => {
    const { mmu, page, second, found } = agile("textbook");
    const stages = [{ ...x86Stage(4), through: 1 }, second];
    mmu.configure({ stages, writeProtect: true, globalPages: false }, 1);
    mmu.setRoot({ frame: 0, pcid: 0 });
    expect(load(mmu, page)).toBe(true);
    expect(mmu.lastPfn()).toBe(found);
    expect(counted(mmu)).toMatchObject({ guest: 4, nested: 20 });
  });

  test("a walk cache knows that the walk had switched", () => {
    const { mmu, page, switchAt, found } = agile("skylake-sp");
    switchAt(3);
    expect(load(mmu, page)).toBe(true);
    counted(mmu);
    // Its neighbour's walk starts at the leaf table, which is the guest's.
    expect(load(mmu, page + 1)).toBe(true);
    expect(mmu.lastPfn()).toBe(found + 1);
    expect(counted(mmu).guest).toBe(1);
  });

  test("a device's DMA goes on after a fault, which is recorded and exits to nobody", () => {
    const memory = new PhysicalMemory({ guestFrames, tableFrames: 64 });
    const room = hostRoom(memory, guestFrames);
    const tables = new Tables(ept, room.allocate(1), room);
    const shape = { levels: 4, rootExtraBits: 0 };
    for (let page = 0; page < 8; page++)
      tables.map(page, 100 + page, { shape, link: 0x7, leaf: page < 4 ? 0x3 : 0x1 });
    const mmu = factory(memory, presets.textbook);
    // Second-level tables alone: 4 references, and no A or D bits.
    const stage = { ...x86Stage(4), format: ept, marks: false };
    mmu.configure({ stages: [stage], writeProtect: true, globalPages: false }, 1);
    mmu.setRoot({ frame: tables.root, pcid: 0 });
    const faults: string[] = [];
    const device: Requester = {
      id: 0,
      stopped(vpn, _offset, high) {
        faults.push(`${high < 0 ? "write" : "read"} ${vpn}`);
        return "done";
      },
    };
    const unit = new AccessUnit(mmu, memory, device);
    for (const page of [0, 3, 9, 5, 1]) unit.append(page as Vpn, 0, STORE);
    for (const page of [5, 8]) unit.append(page as Vpn, 0, 0);
    unit.drain();
    expect(faults).toEqual(["write 9", "write 5", "read 8"]);
    expect(mmu.lastPfn()).toBe(105);
    // Three pages that are not there end at the leaf table too.
    expect(counted(mmu)).toEqual({ guest: 7 * 4, nested: 0, accessed: 0 });
  });
});
