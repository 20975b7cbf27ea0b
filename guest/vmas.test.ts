import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import { userLayout } from "./layout.ts";
import { type Vma, Vmas } from "./vmas.ts";

const pages = 64;

const template: Omit<Vma, "start" | "end"> = {
  access: "read-write",
  executable: false,
  huge: false,
  file: null,
  filePage: 0,
  signals: null,
};

interface Cell {
  readonly access: Vma["access"];
  readonly file: number | null;
  readonly filePage: number;
}

const step = fc.record({
  kind: fc.constantFrom("map", "unmap", "protect"),
  from: fc.nat(pages - 2),
  length: fc.integer({ min: 1, max: 20 }),
  access: fc.constantFrom("none", "read", "read-write"),
  file: fc.constantFrom(null, 1),
});

describe("the regions of an address space", () => {
  // Planted and caught: splitAt keeping filePage; canMerge ignoring file or access; carve missing the region
  // that the start cuts; find trusting its last hit after a removal.
  test("equal a page-by-page model and never lie side by side when they are alike", () => {
    fc.assert(
      fc.property(fc.array(step, { size: "max", maxLength: 60 }), (steps) => {
        const vmas = new Vmas(userLayout(4).mmapEnd);
        const model: (Cell | null)[] = Array.from({ length: pages }, () => null);
        for (const { kind, from, length, access, file } of steps) {
          const start = from + 1;
          const end = Math.min(pages, start + length);
          if (kind === "map") {
            vmas.carve(start, end);
            vmas.insert({ ...template, start, end, access, file });
            for (let i = start; i < end; i++) model[i] = { access, file, filePage: i - start };
          } else if (kind === "unmap") {
            vmas.carve(start, end);
            model.fill(null, start, end);
          } else {
            vmas.protect(start, end, access);
            for (let i = start; i < end; i++) {
              const cell = model[i];
              if (cell) model[i] = { ...cell, access };
            }
          }
          for (let i = 0; i < pages; i++) {
            const vma = vmas.find(i as Vpn);
            const cell = model[i] ?? null;
            // Not `expect`, which would take most of the test's time.
            const alike = vma?.access === cell?.access && vma?.file === cell?.file;
            assert(alike && vmas.intersects(i, i + 1) === (cell !== null), `page ${i} differs`);
            const offset =
              vma === undefined || vma.file === null ? 0 : vma.filePage + i - vma.start;
            assert(
              offset === (cell === null || cell.file === null ? 0 : cell.filePage),
              `page ${i}: wrong file page`,
            );
          }
          vmas.all.forEach((vma, i) => {
            const below = vmas.all[i - 1];
            if (below === undefined) return;
            assert(below.end <= vma.start, `regions overlap at page ${vma.start}`);
            const touches = below.end === vma.start && vma.file === null && below.file === null;
            assert(
              !touches || below.access !== vma.access,
              `page ${vma.start}: regions not merged`,
            );
          });
        }
      }),
      { numRuns: 100 },
    );
  });

  test("gives room from the top down and fills holes", () => {
    const vmas = new Vmas(userLayout(4).mmapEnd);
    const first = vmas.room(10, 1);
    expect(first).toBe(userLayout(4).mmapEnd - 10);
    vmas.insert({ ...template, start: first, end: first + 10 });
    const second = vmas.room(5, 1);
    expect(second).toBe(first - 5);
    vmas.insert({ ...template, start: second, end: second + 5 });
    vmas.carve(first, first + 10);
    expect(vmas.room(10, 1)).toBe(first);
    expect(vmas.room(11, 1)).toBe(second - 11);
    expect(vmas.room(512, 512) % 512).toBe(0);
  });
});
