import { expect, test } from "vitest";
import { levelsOf } from "./levels.ts";
import { showWalk } from "./show-walk.ts";

const page = { gva: "0x412345", preset: "textbook", pages: "4k", backing: "4k" } as const;

// n guest references, and m nested ones for each of them and for the page itself: n + m(n + 1).
test.each([
  ["ept", "4-on-4", {}, 4, 20],
  ["npt", "4-on-4", {}, 4, 20],
  ["ept", "5-on-5", {}, 5, 30],
  ["ept", "4-on-5", {}, 4, 25],
  ["ept", "5-on-4", {}, 5, 24],
  ["ept", "4-on-4", { backing: "2m" }, 4, 15],
  ["ept", "4-on-4", { pages: "2m" }, 3, 16],
  ["ept", "4-on-4", { pages: "2m", backing: "2m" }, 3, 12],
  ["native", "4-on-4", {}, 4, 0],
  ["native", "5-on-5", {}, 5, 0],
  ["shadow", "4-on-4", {}, 4, 0],
  ["shadow-vtlb", "4-on-4", {}, 4, 0],
  ["shadow-lazy", "4-on-4", {}, 4, 0],
  ["shadow-lazy", "4-on-4", { pages: "2m", backing: "2m" }, 3, 0],
] as const)("a cold %s walk, %s, %o reads %i + %i entries", (engine, pair, size, guest, nested) => {
  const { steps, hpa } = showWalk({ ...page, engine, ...levelsOf(pair), ...size });
  const count = (wanted: string) => steps.filter(({ dimension }) => dimension === wanted).length;
  expect([count("guest"), count("nested")]).toEqual([guest, nested]);
  expect(steps.map(({ step }) => step)).toEqual(steps.map((_, index) => index + 1));
  expect(hpa.endsWith("345")).toBe(true);
});

test("each entry of a walk leads to the next, and the last one to the page", () => {
  const { steps, hpa } = showWalk({ ...page, engine: "native", ...levelsOf("4-on-4") });
  const frames = steps.map(({ meaning }) => BigInt(/frame (0x[0-9a-f]+)/.exec(meaning)?.[1] ?? 0));
  for (const [index, { address }] of steps.slice(1).entries()) {
    expect(BigInt(address) - (BigInt(address) % 4096n)).toBe(frames[index]);
  }
  expect(BigInt(hpa)).toBe((frames.at(-1) ?? 0n) + 0x345n);
  expect(steps.map(({ level }) => level)).toEqual([4, 3, 2, 1]);
  expect(steps.every(({ meaning }) => / P W U A/.test(meaning))).toBe(true);
});
