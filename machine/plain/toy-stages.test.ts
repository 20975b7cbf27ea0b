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
import { createLedger, walkLengthMax } from "../counters.ts";
import { fastMmu } from "../fast.ts";
import { type EntryFormat, entryFormat } from "../formats/format.ts";
import { ept } from "../formats/ept.ts";
import { x86 } from "../formats/x86.ts";
import { PhysicalMemory } from "../memory.ts";
import { type Mmu, STORE } from "../mmu.ts";
import { presets } from "../presets.ts";
import { eptStage, type Stage, x86Stage } from "../stages.ts";
import { plainMmu } from "./mmu.ts";

const units = [
  ["plain", plainMmu],
  ["fast", fastMmu],
] as const;

/** The guest's frames lie in the host's memory, this far on. */
const hostOffset = 256;
const guestFrames = 1024;

/** A tree of tables in one format, written where `place` says a frame of it lies. */
class Tables {
  readonly root: number;
  private readonly memory: PhysicalMemory;
  private readonly format: EntryFormat;
  private readonly allocate: () => number;
  private readonly place: (frame: number) => Pfn;

  constructor(
    memory: PhysicalMemory,
    format: EntryFormat,
    root: number,
    allocate: () => number,
    place: (frame: number) => Pfn,
  ) {
    this.memory = memory;
    this.format = format;
    this.root = root;
    this.allocate = allocate;
    this.place = place;
  }

  set(table: number, index: number, frame: number, flags: number): void {
    const { frameShift } = this.format;
    const low = (frame << frameShift) | flags;
    this.memory.write(this.place(table), index, low, frame >>> (32 - frameShift));
  }

  /** The path to `page`, tables made where there are none; what every table on it is, from the root down. */
  map(page: number, frame: number, levels: number, link: number, leaf: number): number[] {
    const { indexBits, entries } = this.format;
    const path = [this.root + Math.floor(page / 2 ** (indexBits * levels))];
    for (let level = levels; level > 1; level--) {
      const index = Math.floor(page / 2 ** (indexBits * (level - 1))) % entries;
      const table = path.at(-1)!;
      const low = this.memory.readLow(this.place(table), index);
      const next = low === 0 ? this.allocate() : low >>> this.format.frameShift;
      if (low === 0) this.set(table, index, next, link);
      path.push(next);
    }
    this.set(path.at(-1)!, page % entries, frame, leaf);
    return path;
  }
}

function counted(mmu: Mmu) {
  const ledger = createLedger();
  mmu.collect(ledger, new Float64Array(walkLengthMax + 1));
  const { walkReferencesGuest, walkReferencesNested, accessedBitsSet } = ledger;
  return { guest: walkReferencesGuest, nested: walkReferencesNested, accessed: accessedBitsSet };
}

function load(mmu: Mmu, page: number): boolean {
  mmu.low[0] = page << 12;
  mmu.high[0] = Math.floor(page / 2 ** 20);
  return mmu.run(0, 1) === 1;
}

/** RISC-V, Sv39: pointers to tables carry neither rights nor A (privileged specification, 12.3.1 and 12.4). */
const sv39 = entryFormat({
  name: "sv39",
  indexBits: 9,
  presentAll: 1,
  presentAny: 1,
  leafBits: 0xe,
  leafLevelMax: 3,
  linksArePlain: true,
  frameShift: 10,
  rights: {
    lowShift: 1,
    lowMask: 15,
    upShift: 0,
    upMask: 0,
    highShift: 0,
    highMask: 0,
    always: 0,
  },
  reservedHigh: 0xffc0_0000 | 0,
  checksLeaves: true,
  accessed: 0x40,
  dirty: 0x80,
  global: 0x20,
});
const [link, leaf] = [0x01, 0xdf];

describe.each(units)("the %s unit", (_name, factory) => {
  test.each([0x1234, 0x3_ffff, 0x7ff_fffe])(
    "Sv39 on Sv39x4 walks 15 references, cold (page %i)",
    (page) => {
      const memory = new PhysicalMemory({ guestFrames: 4096, tableFrames: 64 });
      let next = 4096;
      const host = new Tables(
        memory,
        sv39,
        4096,
        () => next++,
        (frame) => frame as Pfn,
      );
      // The root of the second stage is four tables.
      next += 4;
      // A guest of 2^41 bytes reaches into every one of them.
      const far = 3 * 2 ** 27;
      const at = (gfn: number) => (gfn >= far ? gfn - far + 1024 : gfn + hostOffset) as Pfn;
      let free = 1;
      const guest = new Tables(memory, sv39, 0, () => free++, at);
      guest.map(page, far + 5, 3, link, leaf);
      for (let gfn = 0; gfn < 16; gfn++) host.map(gfn, at(gfn), 3, link, leaf | 0x10);
      host.map(far + 5, at(far + 5), 3, link, leaf | 0x10);

      const first: Stage = {
        ...x86Stage(4),
        format: sv39,
        shape: { levels: 3, rootExtraBits: 0 },
        through: 1,
      };
      const second: Stage = {
        ...eptStage(4096 as Pfn, 4, true),
        format: sv39,
        shape: { levels: 3, rootExtraBits: 2 },
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
    let next = guestFrames;
    let free = 1;
    const nested = new Tables(
      memory,
      ept,
      next++,
      () => next++,
      (frame) => frame as Pfn,
    );
    const shadow = new Tables(
      memory,
      x86,
      next++,
      () => next++,
      (frame) => frame as Pfn,
    );
    const guest = new Tables(memory, x86, 0, () => free++, at);
    const page = 0x1_2345_6789;
    guest.map(page + 1, 101, 4, 0x27, 0x67);
    const path = guest.map(page, 100, 4, 0x27, 0x67);
    for (let gfn = 0; gfn < 128; gfn++) nested.map(gfn, at(gfn), 4, 0x107, 0x307);
    const own = shadow.map(page, at(100), 4, 0x27, 0x67);
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
    let next = guestFrames;
    const tables = new Tables(
      memory,
      ept,
      next++,
      () => next++,
      (frame) => frame as Pfn,
    );
    for (let page = 0; page < 8; page++) tables.map(page, 100 + page, 4, 0x7, page < 4 ? 0x3 : 0x1);
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
