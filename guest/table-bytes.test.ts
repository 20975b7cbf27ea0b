/**
 * What the guest kernel leaves in memory and what it pays for it: entries of parent, child and split pages, tables that
 * come and go, loads and stores of each walk, all counted by hand.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Pfn, Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import { subtract } from "../machine/counters.ts";
import * as x86 from "../machine/formats/x86-entry.ts";
import type { MapOptions } from "./guest.ts";
import { testGuest, type TestGuest } from "./test-guest.ts";

const populated: MapOptions = { fill: "populate", pages: "4k", writable: true };
/** A corner of the address space with no table below the root. */
const corner = 512 ** 3 * 7;

interface Entry {
  readonly vpn: number;
  readonly level: number;
  readonly flags: number;
  readonly frame: number;
  readonly executable: boolean;
}

/** Every entry that maps a page of the user half under the current CR3, and how many tables lie below the root. */
function userHalf({ vcpu, memory }: TestGuest): { leaves: Entry[]; tables: number } {
  vcpu.drain();
  const leaves: Entry[] = [];
  let tables = 0;
  const walk = (table: number, level: number, base: number, count: number): void => {
    for (let i = 0; i < count; i++) {
      const low = memory.readLow(table as Pfn, i);
      const high = memory.readHigh(table as Pfn, i);
      if (!x86.isPresent(low) && !x86.isGlobal(low)) {
        assert(low === 0 && high === 0, `entry ${i} at level ${level} is neither used nor zero`);
        continue;
      }
      const vpn = base + i * 512 ** (level - 1);
      const frame = x86.frameOf(low, high);
      if (level === 1 || x86.isLarge(low)) {
        const executable = x86.isExecutable(high);
        leaves.push({ vpn, level, flags: x86.flagsOf(low), frame, executable });
        continue;
      }
      tables += 1;
      walk(frame, level - 1, vpn, 512);
    }
  };
  walk(vcpu.cr3.root, vcpu.registers.levels, 0, 256);
  return { leaves, tables };
}

function booted(...options: Parameters<typeof testGuest>) {
  const all = testGuest(...options);
  const { guest, vcpu } = all;
  /** What `body` costs, and how many frames it takes. */
  const cost = (body: () => void) => {
    vcpu.drain();
    const { ledger } = vcpu.snapshot();
    const free = guest.freeFrames;
    body();
    vcpu.drain();
    const { pteLoads, pteStores, pagesZeroed, pagesCopied, invlpgs, cr3Writes } = subtract(
      vcpu.snapshot().ledger,
      ledger,
    );
    const frames = free - guest.freeFrames;
    return { pteLoads, pteStores, pagesZeroed, pagesCopied, invlpgs, cr3Writes, frames };
  };
  return { ...all, cost };
}

describe("fork", () => {
  /** The root's copy, the child's kernel stack. */
  const process = { pagesCopied: 1, invlpgs: 0, cr3Writes: 1 };

  // Planted: a walk down the child's tables for each page, a child's table for each page.
  test.each([
    [1, 1],
    [5, 1],
    [512, 1],
    [513, 2],
    [1100, 3],
  ])(
    "of %i written pages stores each entry twice and walks down once per 2 MiB",
    (pages, spans) => {
      const { guest, cost } = booted();
      guest.mapAt(corner as Vpn, pages, populated);
      const fork = cost(() => guest.fork());
      expect(fork).toEqual({
        ...process,
        // Parent: two upper levels, the entries above the leaf tables, the leaves, and the stack's missing top entry.
        // Child: three levels per 2 MiB.
        pteLoads: 2 + spans + pages + 1 + 3 * spans,
        pteStores: 2 * pages + 2 + spans,
        pagesZeroed: 2 + spans + 1,
        // Root and kernel stack; the child's tables. No page.
        frames: 2 + 2 + spans,
      });
      // Nothing is writable any more, so a second child costs the parent no store.
      expect(cost(() => guest.fork())).toEqual({ ...fork, pteStores: pages + 2 + spans });
    },
  );

  test("of 2 MiB pages stores two entries each, in tables of the level above", () => {
    const { guest, cost } = booted();
    guest.mapAt(corner as Vpn, 1024, { ...populated, pages: "2m" });
    expect(cost(() => guest.fork())).toEqual({
      ...process,
      pteLoads: 2 + 2 + 1 + 2 * 2,
      pteStores: 2 * 2 + 2,
      pagesZeroed: 2 + 1,
      frames: 2 + 2,
    });
  });

  test("copies nothing of what nobody touched, and of a file what was written, with all around it", () => {
    const { guest, cost } = booted();
    guest.mapAt(corner as Vpn, 64, { ...populated, fill: "demand" });
    const file = (512 ** 3 * 9) as Vpn;
    guest.mapAt(file, 4, { fill: "demand", pages: "4k", writable: true, file: 3 });
    for (let i = 0; i < 4; i++) guest.read((file + i) as Vpn);
    // Three regions, two of which have no entry at the top; the file is left out.
    const bare = { ...process, pteLoads: 2, pteStores: 0, pagesZeroed: 1, frames: 2 };
    expect(cost(() => guest.fork())).toEqual(bare);
    guest.write((file + 1) as Vpn);
    expect(cost(() => guest.fork())).toEqual({
      ...bare,
      pteLoads: 2 + 3 + 4 + 3,
      // The written page loses W in the parent; four entries and three tables for the child.
      pteStores: 1 + 4 + 3,
      pagesZeroed: 1 + 3,
      frames: 2 + 3,
    });
    // What the child knows of the file its own child must know, too.
    const child = guest.fork();
    guest.switchTo(child);
    expect(cost(() => guest.fork()).frames).toBe(2 + 3);
  });

  // Planted: W left in either, A left in the child, D lost, the frame of the wrong entry.
  test.each(["4k", "2m"] as const)(
    "leaves %s entries read-only on both sides, the child's not accessed",
    (pages) => {
      const all = booted();
      const { guest } = all;
      const [length, level] = pages === "2m" ? [1024, 2] : [3, 1];
      const mapped = level === 2 ? x86.asLarge(x86.userPage) : x86.userPage;
      guest.mapAt(corner as Vpn, length, { ...populated, pages, executable: true });
      const before = userHalf(all).leaves.filter(
        ({ vpn }) => vpn >= corner && vpn < corner + length,
      );
      expect(before.map(({ flags, level: at }) => [flags, at])).toEqual(
        before.map(() => [mapped, level]),
      );
      const child = guest.fork();
      const parent = userHalf(all).leaves;
      for (const entry of before) {
        expect(parent).toContainEqual({ ...entry, flags: x86.withoutWrite(entry.flags) });
      }
      guest.switchTo(child);
      // Before it touches anything of it.
      const young = userHalf(all).leaves;
      for (const entry of before) {
        const flags = x86.withoutAccessed(x86.withoutWrite(entry.flags));
        expect(young).toContainEqual({ ...entry, flags });
      }
    },
  );

  test("under KPTI makes a second root, with the entry area and each top-level link", () => {
    const { guest, cost } = booted({ kpti: true });
    guest.mapAt(corner as Vpn, 1, populated);
    expect(cost(() => guest.fork())).toEqual({
      ...process,
      cr3Writes: 3,
      pteLoads: 1 + 3 + 1 + 1 + 3,
      // Entry area; parent's and child's entry; two roots and two tables link three tables.
      pteStores: 1 + 2 + 4,
      pagesZeroed: 1 + 1 + 3,
      frames: 3 + 3,
    });
  });
});

describe("munmap", () => {
  test("loads each entry once, clears it, and flushes it; its tables stay while a region needs them", () => {
    const { guest, cost } = booted();
    guest.mapAt(corner as Vpn, 20, populated);
    expect(cost(() => guest.unmap((corner + 3) as Vpn, 7))).toEqual({
      // Down to the leaves; down again to what links the leaf table.
      pteLoads: 3 + 7 + 3,
      pteStores: 7,
      pagesZeroed: 0,
      pagesCopied: 0,
      invlpgs: 7,
      cr3Writes: 0,
      frames: -7,
    });
    // A hole costs nothing at all.
    expect(cost(() => guest.unmap((corner + 3) as Vpn, 7))).toMatchObject({
      pteLoads: 0,
      pteStores: 0,
      invlpgs: 0,
      frames: 0,
    });
    // The last regions, with the hole between them: three tables go, all in one flush over the hole.
    expect(cost(() => guest.unmap(corner as Vpn, 20))).toMatchObject({
      pteLoads: 3 + 3 + 3 + (3 + 10 + 3),
      pteStores: 13 + 3,
      invlpgs: 20,
      frames: -13 - 3,
    });
  });

  test("of memory that nobody touched frees the tables that a neighbour left, and flushes the way to them", () => {
    const { guest, cost } = booted();
    guest.mapAt(corner as Vpn, 40, { ...populated, fill: "demand" });
    guest.write(corner as Vpn);
    guest.unmap(corner as Vpn, 1);
    expect(cost(() => guest.unmap((corner + 1) as Vpn, 39))).toMatchObject({
      pteStores: 3,
      pteLoads: 3 + 39 + 3,
      invlpgs: 1,
      frames: -3,
    });
  });

  // Planted: a kernel that may run user code by accident.
  test("under KPTI links a top-level table in both roots, without execution in the kernel's", () => {
    const { guest, vcpu, memory } = booted({ kpti: true });
    guest.syscall();
    vcpu.drain();
    const roots: number[] = [];
    const writeCr3 = vcpu.writeCr3.bind(vcpu);
    vcpu.writeCr3 = (root, ...how) => {
      roots.push(root);
      return writeCr3(root, ...how);
    };
    guest.mapAt(corner as Vpn, 1, populated);
    vcpu.drain();
    const links = roots.map((root) => [
      memory.readLow(root as Pfn, 7),
      memory.readHigh(root as Pfn, 7),
    ]);
    const [kernel, user] = links;
    expect(roots.length).toBe(2);
    expect(user?.[0]).toBe(kernel?.[0]);
    expect(x86.flagsOf(user![0]!)).toBe(x86.userPage);
    expect([kernel?.[1], user?.[1]]).toEqual([x86.noExecute, 0]);
    guest.unmap(corner as Vpn, 1);
    vcpu.drain();
    for (const root of roots) {
      expect([memory.readLow(root as Pfn, 7), memory.readHigh(root as Pfn, 7)]).toEqual([0, 0]);
    }
  });

  test("under KPTI clears a top-level link in both roots", () => {
    const { guest, cost } = booted({ kpti: true });
    guest.mapAt(corner as Vpn, 1, populated);
    expect(cost(() => guest.unmap(corner as Vpn, 1))).toMatchObject({
      pteStores: 1 + 4,
      frames: -4,
    });
  });

  // Planted: a large page released one by one too few or too many.
  test("of 2 MiB pages clears one entry each and gives 512 frames back", () => {
    const { guest, cost } = booted();
    guest.mapAt(corner as Vpn, 1024, { ...populated, pages: "2m" });
    expect(cost(() => guest.unmap(corner as Vpn, 512))).toMatchObject({
      pteLoads: 3 + 3,
      pteStores: 1,
      invlpgs: 1,
      frames: -512,
    });
    expect(cost(() => guest.unmap((corner + 512) as Vpn, 512))).toMatchObject({
      pteStores: 1 + 2,
      frames: -512 - 2,
    });
  });

  // Planted: a table that ends where the next region begins left for that region, which never looks at it.
  test("of two regions that meet at a table's border frees the tables of both, once", () => {
    const { guest, cost } = booted();
    guest.mapAt((corner + 510) as Vpn, 2, populated);
    guest.mapAt((corner + 512) as Vpn, 3, { ...populated, executable: true });
    expect(cost(() => guest.unmap(corner as Vpn, 1024))).toMatchObject({
      pteStores: 2 + 3 + 4,
      frames: -5 - 4,
    });
    // Within one table: the last region that used it frees it.
    guest.mapAt(corner as Vpn, 2, populated);
    guest.mapAt((corner + 2) as Vpn, 3, { ...populated, executable: true });
    expect(cost(() => guest.unmap(corner as Vpn, 512))).toMatchObject({
      pteStores: 2 + 3 + 3,
      frames: -5 - 3,
    });
  });

  // Planted: a prune that ignores the ceiling, frees too early, looks at one table less, or stops at a border.
  test("leaves exactly the tables of what is mapped, whatever the order", () => {
    const borders = [512 ** 3, 512 ** 2, 512 ** 3 + 512 ** 2, 512 ** 3 - 512];
    const marks = borders.flatMap((at) => [at - 3, at - 1, at, at + 2]).toSorted((a, b) => a - b);
    const range = fc
      .tuple(fc.nat(marks.length - 2), fc.integer({ min: 1, max: 3 }))
      .map(([i, n]) => [marks[i]!, marks[Math.min(i + n, marks.length - 1)]!] as const);
    const step = fc.tuple(fc.boolean(), range, fc.integer({ min: 1, max: 4 }));
    fc.assert(
      fc.property(
        fc.constantFrom(4, 5),
        fc.boolean(),
        fc.array(step, { maxLength: 12, size: "max" }),
        (levels, kpti, steps) => {
          const all = testGuest({ levels, kpti });
          const { guest } = all;
          guest.syscall();
          const { leaves, tables } = userHalf(all);
          const start = guest.freeFrames;
          const mapped = new Set<number>();
          for (const [isMap, [from, to], length] of steps) {
            // What is mapped is short, what goes may be long.
            if (isMap) {
              // Neighbours of two kinds, which stay two regions.
              const executable = length % 2 === 0;
              guest.mapAt(from as Vpn, length, { ...populated, executable });
              for (let i = 0; i < length; i++) mapped.add(from + i);
            } else {
              guest.unmap(from as Vpn, to - from);
              for (const page of mapped) if (page >= from && page < to) mapped.delete(page);
            }
          }
          const spansOf = (pages: readonly number[]) =>
            pages.flatMap((page) =>
              Array.from(
                { length: levels - 1 },
                (_, i) => `${i}: ${Math.floor(page / 512 ** (i + 1))}`,
              ),
            );
          const shared = new Set(spansOf(leaves.map(({ vpn }) => vpn)));
          const spans = new Set(spansOf([...mapped]).filter((span) => !shared.has(span)));
          const now = userHalf(all);
          expect(now.leaves.length - leaves.length).toBe(mapped.size);
          expect(now.tables - tables).toBe(spans.size);
          expect(start - guest.freeFrames).toBe(mapped.size + spans.size);
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe("a 2 MiB page that is split", () => {
  // Planted: rights lost or added, frames out of order, the flush of another page, PROTNONE gone.
  test.each([
    ["read-write", x86.userPage],
    ["read", x86.withoutWrite(x86.userPage)],
    // Nobody may touch it, but it is there: Linux's PROTNONE is the G bit.
    ["none", x86.asGlobal(x86.marksOf(x86.userPage))],
  ] as const)("with access %s keeps rights and frames in 512 entries", (access, flags) => {
    const all = booted();
    const { guest, vcpu, cost } = all;
    guest.mapAt(corner as Vpn, 512, { ...populated, pages: "2m" });
    guest.protect(corner as Vpn, 512, access);
    const large = userHalf(all).leaves.find(({ vpn }) => vpn === corner)!;
    expect([large.level, x86.asSmall(large.flags)]).toEqual([2, flags]);
    const flushed: number[] = [];
    const invlpg = vcpu.invlpg.bind(vcpu);
    vcpu.invlpg = (vpn) => {
      flushed.push(vpn);
      return invlpg(vpn);
    };
    const split = cost(() => guest.unmap((corner + 100) as Vpn, 2));
    // Cleared, 512 stored, linked; two of them cleared. A table more, two pages less.
    expect(split).toMatchObject({ pteStores: 1 + 512 + 1 + 2, pagesZeroed: 0, frames: 1 - 2 });
    // The page by its first address, then what was unmapped.
    expect(flushed).toEqual([corner, corner + 100, corner + 101]);
    const small = userHalf(all).leaves.filter(({ vpn }) => vpn >= corner && vpn < corner + 512);
    const expected = Array.from({ length: 512 }, (_, i) => ({
      vpn: corner + i,
      level: 1,
      flags,
      frame: large.frame + i,
      executable: false,
    })).filter(({ vpn }) => vpn < corner + 100 || vpn > corner + 101);
    expect(small).toEqual(expected);
  });
});
