/**
 * Prime and probe against page colouring, counted by hand: a cache of 128 pages, half of it A's where frames are coloured.
 */
import { describe, expect, test } from "vitest";
import { lastLevelSet } from "../../machine/data-cache.ts";
import {
  bitsSeen,
  caches,
  footprintEngines,
  type FramePlacement,
  framesToBeHad,
  placements,
  priceOfColours,
} from "./cache-footprint.ts";
import { colourOf, coloursOf, framesOfPalette } from "./colours.ts";

const settings = { seed: 5, bits: 3, check: true };

/** Whether A sees what B does. Tables of the hypervisor's that lie anywhere give B's walks away. */
const isSeen: Readonly<Record<FramePlacement, boolean>> = {
  "any frames": true,
  "any, 2 MiB each": true,
  "frames coloured": true,
  "frames and tables": false,
};
const cases = (Object.keys(placements) as FramePlacement[]).flatMap((placement) =>
  (["shadow", "ept"] as const).map((scheme) => [placement, scheme] as const),
);

// Seen failing with tables that keep the first frame they are given.
test.each(cases)("%s under %s: seen or not, and what going round costs", (placement, scheme) => {
  const engine = footprintEngines[scheme];
  expect(bitsSeen(engine, placement, settings)).toBe(isSeen[placement] ? settings.bits : 0);
  const { accesses, dataDram } = priceOfColours(engine, placement, true);
  expect(accesses).toBe(96 * 64);
  // Half a cache holds none of three quarters when it keeps the latest.
  expect(dataDram).toBe(placements[placement].frames ? accesses : 0);
});

// Seen failing with a colour that is the frame's number alone, whatever the hash.
describe("colours", () => {
  const low = (colour: number) => colour < 8;
  const setsOf = (frames: readonly number[]) =>
    new Set(frames.flatMap((pfn) => linesOf(pfn).map((line) => lastLevelSet(caches, line))));
  const linesOf = (pfn: number) => Array.from({ length: 64 }, (_, i) => pfn * 64 + i);

  test("are as many as the cache has sets over 64, and a page has one", () => {
    expect(coloursOf(caches)).toBe(16);
    for (const pfn of [0, 5, 16, 1023, 1024, 70_001]) {
      expect(setsOf([pfn]).size).toBe(64);
      const ofLines = linesOf(pfn).map((line) => Math.floor(lastLevelSet(caches, line) / 64));
      expect(new Set(ofLines)).toEqual(new Set([colourOf(caches, pfn)]));
    }
  });

  test("that two guests do not share are sets that they do not share", () => {
    const mine = framesOfPalette(caches, low, 4096);
    const others = framesOfPalette(caches, (colour) => !low(colour), 4096);
    expect([mine.length, others.length]).toEqual([2048, 2048]);
    expect([setsOf(mine).size, setsOf(others).size]).toEqual([512, 512]);
    expect(setsOf([...mine, ...others]).size).toBe(1024);
  });

  test("are all in every 2 MiB, so that no large page has but some of them", () => {
    const large = Array.from({ length: 512 }, (_, i) => colourOf(caches, 512 + i));
    expect(new Set(large).size).toBe(16);
    expect(framesToBeHad("frames coloured")).toBe(512);
  });
});
