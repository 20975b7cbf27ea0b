import { expect, test } from "vitest";
import type { Vpn } from "../../machine/address.ts";
import { readAddress, type WalkOptions, walkOf } from "./walk.ts";
import { engineNames } from "./world.ts";

const plain: WalkOptions = {
  engine: "ept",
  preset: "textbook",
  guestLevels: 4,
  nestedLevels: 4,
  backing: "4k",
  vpn: 0x400 as Vpn,
  offset: 0x10,
  pages: "4k",
  warmth: "nothing",
};

test.each([
  ["ept", 24],
  ["npt", 24],
  ["shadow", 4],
  ["shadow-lazy", 4],
  ["native", 4],
])("a cold walk under %s takes %i references", (engine, references) => {
  expect(walkOf({ ...plain, engine }).steps).toHaveLength(references);
});

test("every engine of the registry can be walked", () => {
  for (const engine of engineNames)
    expect(walkOf({ ...plain, engine }).steps.length).toBeGreaterThan(0);
});

test("each row of the grid holds the nested reads before a guest entry, the last row those of the page", () => {
  const rows = walkOf(plain).steps.map(({ row }) => row);
  expect([4, 3, 2, 1, 0].map((row) => rows.filter((one) => one === row).length)).toEqual([
    5, 5, 5, 5, 4,
  ]);
});

test("large pages on both sides shorten the walk to 15", () => {
  expect(walkOf({ ...plain, pages: "2m", backing: "2m" }).steps).toHaveLength(15);
});

test("a neighbour's walk warms the walk caches, the page's own the TLB", () => {
  const preset = "skylake-sp";
  const neighbour = walkOf({ ...plain, preset, warmth: "neighbour" });
  expect(neighbour.steps.length).toBeLessThan(24);
  expect(neighbour.hits.map(({ name }) => name)).toContain("PDE cache");
  const page = walkOf({ ...plain, preset, warmth: "page" });
  expect(page.steps).toEqual([]);
  expect(page.hits).toEqual([{ name: "first-level TLB", hits: 1 }]);
});

const where = { guestLevels: 4, pages: "4k" } as const;

test("an address is hexadecimal and canonical, in either half", () => {
  expect(readAddress("0x400010", where)).toEqual({ vpn: 0x400, offset: 0x10 });
  expect(readAddress(" deadbeef ", where)).toEqual({ vpn: 0xdeadb, offset: 0xeef });
  expect(readAddress("0x7ffd6f0a1b58", where)).toEqual({ vpn: 0x7_ffd6_f0a1, offset: 0xb58 });
  expect(readAddress("0xffff888000001000", where)).toEqual({ vpn: 0x8_8800_0001, offset: 0 });
  for (const text of ["", "0x", "12g", "-1", "400000", "0x800000000000", "0x8fff000000000000"]) {
    expect(readAddress(text, where)).toHaveProperty("problem");
  }
  const entryArea = readAddress("0xfffffe0000000000", { ...where, pages: "2m" });
  expect(entryArea).toEqual({ problem: "is in the kernel's entry area, whose pages are 4k" });
});

// The neighbour of the entry area's last page is nobody's until it is mapped; that of the area, as a large page,
// is the area itself, which stays small.
test.each([
  ["0x7ffd6f0a1b58", "4k", 24, "user"],
  ["0x0", "2m", 19, "user"],
  ["0xffff88801badf00d", "4k", 24, "direct map"],
  ["0xffff88801badf00d", "2m", 19, "direct map"],
  ["0xfffffe0000002000", "4k", 24, "entry area"],
  ["0xfffffe0000200000", "2m", 19, "kernel, on demand"],
  ["0xffffff8000200000", "2m", 19, "kernel, on demand"],
  ["0xffffffffffffffff", "4k", 24, "kernel, on demand"],
] as const)("the walk of %s, %s, is %i references to a page that is %s", (text, pages, n, kind) => {
  const read = readAddress(text, { ...where, pages });
  if ("problem" in read) throw new Error(read.problem);
  const walk = walkOf({ ...plain, ...read, pages });
  expect([walk.steps.length, walk.kind]).toEqual([n, kind]);
});
