import { expect, test } from "vitest";
import type { Pfn } from "../../machine/address.ts";
import { fastMmu } from "../../machine/fast.ts";
import { PhysicalMemory } from "../../machine/memory.ts";
import { type Endurance, measureFootprint, measureGrowth } from "./memory.ts";

/** What compiled code and caches of V8's may add between a tenth of a run and its end. */
const heapGrowthMax = 600_000;

// Seen failing: a vCPU that also keeps the page of each read, 8 bytes an access (all five).
test.each([
  { engine: "ept", operation: "accesses", count: 1_000_000 },
  { engine: "shadow-lazy", operation: "accesses", count: 1_000_000 },
  { engine: "ept", operation: "pages mapped and unmapped", count: 40_000 },
  { engine: "shadow", operation: "pages mapped and unmapped", count: 40_000 },
  { engine: "shadow-lazy", operation: "pages mapped and unmapped", count: 40_000 },
] satisfies Endurance[])("the heap does not grow: $engine, $operation", (endurance) => {
  const { samples, count } = measureGrowth(endurance, fastMmu);
  expect(count).toBeGreaterThanOrEqual(endurance.count);
  const [early = 0, , late = 0] = samples.map(({ heapBytes }) => heapBytes);
  expect(late - early).toBeLessThan(heapGrowthMax);
});

// Seen failing: a host that gives every page bytes when it places it (4121 a page).
test("a nested page takes 8 bytes each of guest, nested and host tables, and next to nothing beside", () => {
  const { pages, tableBytes, pointerBytes } = measureFootprint(
    { engine: "ept", guestFrames: 2 ** 15, stride: 1 },
    fastMmu,
  );
  expect(tableBytes / pages).toBeGreaterThan(24);
  expect(tableBytes / pages).toBeLessThan(25);
  expect(pointerBytes / pages).toBeLessThan(0.5);
});

// Seen failing: room for 65 536 frames with bytes, whatever the guest's size.
test("the memory of a 64 GiB guest has room for every table that maps it", () => {
  const guestFrames = 2 ** 24;
  const memory = new PhysicalMemory({ guestFrames, tableFrames: guestFrames / 64 });
  // Guest, nested and host tables, and what stands above their leaves.
  const tables = 3 * (guestFrames / 512) + 3 * (guestFrames / 512 ** 2);
  for (let i = 0; i < tables; i++) memory.slot((guestFrames - 1 - i) as Pfn);
  expect(memory.bytesInUse).toBe(tables * 4096);
});

test("a program that spreads over 64 GiB runs", () => {
  const { pages, tableBytes } = measureFootprint(
    { engine: "ept", guestFrames: 2 ** 24, stride: 4096 },
    fastMmu,
  );
  expect(pages).toBe(3840);
  // A guest table for each.
  expect(tableBytes).toBeGreaterThan(pages * 4096);
});
