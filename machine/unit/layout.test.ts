/** Planted bugs: sets that are no power of two taken as a mask, more entries than an index of 16 bits reaches. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fastMmu } from "../fast.ts";
import { PhysicalMemory } from "../memory.ts";
import { type Preset, presets } from "../presets.ts";

const skylake = presets["skylake-sp"];

test.each<[string, Partial<Preset>, string]>([
  ["an STLB of 100 sets", { stlb: { sets: 100, ways: 12 } }, "100 sets, no power of two"],
  ["a nested TLB of 3 sets", { nestedTlb: { sets: 3, ways: 4 } }, "3 sets, no power of two"],
  ["a bank of 6 sets", { l1Code: { "4k": { sets: 6, ways: 8 }, "2m": null } }, "6 sets"],
  ["a walk cache of 7 sets", { pwc: { ...skylake.pwc, 3: { sets: 7, ways: 1 } } }, "7 sets"],
  ["an STLB too large", { stlb: { sets: 4096, ways: 12 } }, "4096 x 12 entries"],
  ["no ways", { stlb1g: { sets: 4, ways: 0 } }, "4 x 0 entries"],
])("%s is refused when the unit is made", (_case, part, message) => {
  const memory = new PhysicalMemory({ guestFrames: 1024, tableFrames: 64 });
  expect(() => fastMmu(memory, { ...skylake, ...part })).toThrow(message);
});

// Two pieces of work took the same number, twice on one day; nothing else failed.
test("every scalar of the state has a number of its own", () => {
  const text = readFileSync(new URL("state.ts", import.meta.url), "utf8");
  const numbers = [...text.matchAll(/^export const \w+ = (\d+);$/gm)].map(([, n]) => Number(n));
  const length = Number(/^const stateLength = (\d+);$/m.exec(text)?.[1]);
  expect(numbers.toSorted((a, b) => a - b).filter((n, i, all) => n === all[i - 1])).toEqual([]);
  expect(Math.max(...numbers)).toBe(length - 1);
});
