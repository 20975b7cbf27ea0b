import { expect, test } from "vitest";
import { createDataCache } from "./data-cache.ts";

const level = (sets: number, ways: number) => ({ sets, ways, lineBytes: 64 }) as const;
const caches = () => createDataCache({ l1: level(1, 2), l2: level(2, 2), llc: level(4, 2) });

test("a line is in DRAM at first and in L1 afterwards", () => {
  const cache = caches();
  expect([cache.reference(7), cache.reference(7)]).toEqual([3, 0]);
});

test("the least recently used line leaves L1 first and is found in L2", () => {
  const cache = caches();
  for (const line of [0, 1, 0, 2]) cache.reference(line);
  expect(cache.reference(0)).toBe(0);
  expect(cache.reference(1)).toBe(1);
});

test("lines of one set push each other out of every level", () => {
  const cache = caches();
  // Eight lines of set 0 of the last level (4 sets, 2 ways).
  for (let line = 0; line < 32; line += 4) expect(cache.reference(line)).toBe(3);
  expect(cache.reference(0)).toBe(3);
  expect(cache.reference(28)).toBe(0);
});
