/** Simulated memory by itself: who holds a frame, what is in it, and what a reset forgets. */
import { describe, expect, test } from "vitest";
import type { Pfn } from "./address.ts";
import { PhysicalMemory, vacated } from "./memory.ts";

const guestFrames = 64;
const size = { guestFrames, tableFrames: 8, slotsMax: 16 };
const pfn = (n: number) => n as Pfn;

describe("frames of the hypervisor", () => {
  test("come in order behind the guest's, zeroed when they are used again, until there are none", () => {
    const memory = new PhysicalMemory(size);
    const first = memory.allocateTable();
    expect([first, memory.allocateTable(), memory.allocateSpare()]).toEqual([64, 65, 66]);
    memory.write(first, 3, 7, 8);
    memory.freeTable(first);
    expect(memory.allocateTable()).toBe(first);
    expect([memory.readLow(first, 3), memory.readHigh(first, 3)]).toEqual([0, 0]);
    for (let i = 0; i < 5; i++) memory.allocateTable();
    expect(() => memory.allocateTable()).toThrow("all 8 table frames used");
    expect(() => memory.allocateSpare()).toThrow("no spare frame left");
    expect(() => memory.freeTable(pfn(63))).toThrow("frame 63 is the guest's, not a table");
  });

  // Planted: a peak that counts tables freed before, or spares.
  test("are counted at their peak, tables only", () => {
    const memory = new PhysicalMemory(size);
    const tables = [memory.allocateTable(), memory.allocateTable(), memory.allocateTable()];
    memory.allocateSpare();
    expect([memory.tableBytesPeak / 4096, memory.tableBytesPeak]).toEqual([3, 3 * 4096]);
    for (const table of tables) memory.freeTable(table);
    memory.allocateTable();
    expect(memory.tableBytesPeak / 4096).toBe(3);
  });
});

describe("sharing", () => {
  test("a frame is shared while it has more than one user, and saved once for each further one", () => {
    const memory = new PhysicalMemory(size);
    memory.share(pfn(5));
    memory.share(pfn(5));
    memory.share(pfn(6));
    expect([memory.isShared(pfn(5)), memory.isShared(pfn(7))]).toEqual([true, false]);
    expect([memory.framesSaved, memory.framesSavedPeak]).toEqual([3, 3]);
    memory.release(pfn(5));
    expect([memory.isShared(pfn(5)), memory.framesSaved]).toEqual([true, 2]);
    memory.release(pfn(5));
    expect([memory.isShared(pfn(5)), memory.framesSaved, memory.framesSavedPeak]).toEqual([
      false,
      1,
      3,
    ]);
    // A guest page's own place is not handed out, whoever lets go of it.
    memory.release(pfn(5));
    expect(memory.framesSaved).toBe(1);
    expect(memory.allocateSpare()).toBe(64);
  });

  test("a spare without users is free, holds no version, and comes back as zeros", () => {
    const memory = new PhysicalMemory(size);
    const spare = memory.allocateSpare();
    memory.write(spare, 1, 9, 9);
    memory.release(spare);
    expect(memory.stamps[spare]).toBe(vacated);
    expect(memory.allocateSpare()).toBe(spare);
    expect([memory.readLow(spare, 1), memory.stamps[spare]]).toEqual([0, 0]);
    // The first frame of the hypervisor is one, the last of the guest none.
    memory.release(pfn(63));
    expect(memory.stamps[63]).toBe(0);
  });
});

describe("bytes", () => {
  test("are given to a frame when something is stored, never when it is read or zeroed", () => {
    const memory = new PhysicalMemory(size);
    expect([memory.readLow(pfn(1), 0), memory.hasBytes(pfn(1))]).toEqual([0, false]);
    memory.zero(pfn(1));
    expect([memory.hasBytes(pfn(1)), memory.bytesInUse]).toEqual([false, 0]);
    memory.write(pfn(1), 511, -1, 5);
    expect([memory.readLow(pfn(1), 511), memory.readHigh(pfn(1), 511)]).toEqual([-1, 5]);
    expect([memory.hasBytes(pfn(1)), memory.bytesInUse]).toEqual([true, 4096]);
    memory.setLow(pfn(1), 511, 4);
    expect([memory.readLow(pfn(1), 511), memory.readHigh(pfn(1), 511)]).toEqual([4, 5]);
    for (let i = 2; i <= 15; i++) memory.write(pfn(i), 0, 1, 1);
    expect(() => memory.write(pfn(16), 0, 1, 1)).toThrow("all 16 slots used");
    expect(() => memory.slot(pfn(72))).toThrow("frame 72 of 72 does not exist");
  });

  // Planted: a store, a zero and a copy that leave what was known of the frame that an entry names.
  test("forget where an entry leads as soon as it changes, but for its flags", () => {
    const memory = new PhysicalMemory(size);
    const know = (frame: number, index: number) => {
      memory.next[(memory.slot(pfn(frame)) << 9) | index] = 77;
    };
    const known = (frame: number, index: number) =>
      memory.next[(memory.slot(pfn(frame)) << 9) | index];
    memory.write(pfn(1), 2, 3, 0);
    know(1, 2);
    know(1, 4);
    memory.setLow(pfn(1), 2, 35);
    expect([known(1, 2), known(1, 4)]).toEqual([77, 77]);
    memory.write(pfn(1), 2, 3, 0);
    expect([known(1, 2), known(1, 4)]).toEqual([0, 77]);
    memory.write(pfn(2), 0, 1, 1);
    know(2, 511);
    memory.copy(pfn(2), pfn(1));
    expect([known(2, 511), known(2, 4), known(1, 4)]).toEqual([0, 0, 77]);
    memory.zero(pfn(1));
    expect(known(1, 4)).toBe(0);
  });

  test("and versions are copied whole; a frame without bytes copies as zeros", () => {
    const memory = new PhysicalMemory(size);
    memory.write(pfn(1), 0, 1, 2);
    memory.write(pfn(1), 511, 3, 4);
    memory.stamps[1] = 9;
    memory.copy(pfn(2), pfn(1));
    expect(memory.hasSameBytes(pfn(1), pfn(2))).toBe(true);
    expect([memory.readHigh(pfn(2), 511), memory.stamps[2]]).toEqual([4, 9]);
    memory.write(pfn(2), 511, 3, 5);
    expect(memory.hasSameBytes(pfn(1), pfn(2))).toBe(false);
    memory.stamps[3] = 6;
    memory.copy(pfn(2), pfn(3));
    expect([memory.readHigh(pfn(2), 511), memory.readLow(pfn(2), 0), memory.stamps[2]]).toEqual([
      0, 0, 6,
    ]);
    expect(memory.hasSameBytes(pfn(2), pfn(3))).toBe(true);
  });

  test("that are taken out come back as they were, elsewhere too", () => {
    const memory = new PhysicalMemory(size);
    memory.write(pfn(1), 7, 1, 2);
    memory.stamps[1] = 4;
    const contents = memory.vacate(pfn(1));
    expect([contents.stamp, memory.stamps[1]]).toEqual([4, vacated]);
    // A copy: later stores to the frame do not reach it.
    memory.write(pfn(1), 7, 100, 100);
    memory.write(pfn(2), 9, 5, 5);
    memory.fill(pfn(2), contents);
    expect([memory.readLow(pfn(2), 7), memory.readLow(pfn(2), 9), memory.stamps[2]]).toEqual([
      1, 0, 4,
    ]);
    expect(memory.contentsOf(pfn(3))).toEqual({ words: null, stamp: 0 });
    memory.fill(pfn(2), { words: null, stamp: 3 });
    expect([memory.readLow(pfn(2), 7), memory.stamps[2]]).toEqual([0, 3]);
  });
});

describe("a reset", () => {
  test("leaves zeros, no version, no user and all frames free, in another size", () => {
    const memory = new PhysicalMemory(size);
    const { life } = memory;
    memory.write(pfn(1), 0, 1, 1);
    memory.next[memory.slot(pfn(1)) << 9] = 5;
    memory.stamps[2] = 8;
    memory.share(pfn(3));
    memory.freeTable(memory.allocateTable());
    memory.reset({ guestFrames: 32, tableFrames: 4, slotsMax: 8 });
    expect([memory.guestFrames, memory.frames]).toEqual([32, 36]);
    expect([memory.hasBytes(pfn(1)), memory.stamps[2], memory.isShared(pfn(3))]).toEqual([
      false,
      0,
      false,
    ]);
    expect([memory.bytesInUse, memory.tableBytesPeak / 4096]).toEqual([0, 0]);
    expect(memory.life).not.toBe(life);
    expect([memory.allocateTable(), memory.tableBytesPeak / 4096]).toEqual([32, 1]);
    memory.slot(pfn(4));
    expect([memory.readLow(pfn(4), 0), memory.next[memory.slot(pfn(4)) << 9]]).toEqual([0, 0]);
  });

  test("is possible up to the size that it was made with", () => {
    const memory = new PhysicalMemory(size);
    expect(memory.holds({ guestFrames: 70, tableFrames: 2, slotsMax: 16 })).toBe(true);
    expect(memory.holds({ guestFrames: 71, tableFrames: 2, slotsMax: 16 })).toBe(false);
    expect(memory.holds({ ...size, slotsMax: 17 })).toBe(false);
    expect(() => memory.reset({ ...size, guestFrames: 65 })).toThrow("65 frames do not fit");
  });

  // A guest that maps every frame: 5 slots for 256 frames, but at least 65,536.
  test.each([
    [65_536, 65_536],
    [2 ** 24, 327_680],
  ])("memory of %i frames has room for %i frames of bytes", (frames, slots) => {
    const small = new PhysicalMemory({ guestFrames: 1, tableFrames: frames, slotsMax: slots });
    expect(small.holds({ guestFrames: frames, tableFrames: 1 })).toBe(true);
    const less = new PhysicalMemory({ guestFrames: 1, tableFrames: frames, slotsMax: slots - 1 });
    expect(less.holds({ guestFrames: frames, tableFrames: 1 })).toBe(false);
  });
});

// Seen failing with a row that begins at the cursor, aligned or not.
test("a row of frames is aligned, nobody else's, and refused when it does not fit", () => {
  const memory = new PhysicalMemory({ guestFrames: 512, tableFrames: 2048 });
  const before = memory.allocateTable();
  const first = memory.reserve(512, 512);
  expect([first % 512, first > before]).toEqual([0, true]);
  expect(memory.allocateTable()).toBe(first + 512);
  expect(() => memory.reserve(1024, 512)).toThrow(/no 1024 frames in a row/);
});
