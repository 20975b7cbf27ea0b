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

test("an address is hexadecimal and of a user page", () => {
  expect(readAddress("0x400010")).toEqual({ vpn: 0x400, offset: 0x10 });
  expect(readAddress(" deadbeef ")).toEqual({ vpn: 0xdeadb, offset: 0xeef });
  for (const text of ["", "0x", "12g", "-1", "0xffffffffffffffff", "0x1000"]) {
    expect(readAddress(text)).toHaveProperty("problem");
  }
});
