import { expect, test } from "vitest";
import { claims } from "../claims/index.ts";
import { Stage } from "../stage.ts";
import { experiments } from "./index.ts";

// Seen failing: an experiment on a claim that is met.
test("every experiment is on a claim that is missed, and no two are one", () => {
  const missed = new Set(
    claims.filter((one) => one.missedBecause !== undefined).map((one) => one.name),
  );
  expect(experiments.filter(({ claim }) => !missed.has(claim))).toEqual([]);
  const names = experiments.map(({ claim, change }) => `${claim}: ${change}`);
  expect(new Set(names).size).toBe(names.length);
});

// Seen failing: the policy of agile paging as it is.
test("what agile paging's trials cost mmap-churn is gone where it makes none", () => {
  const [untried] = experiments.filter(({ claim }) => claim === "dedup 4k, agile / nested");
  expect(untried?.simulate(new Stage())).toBeLessThan(1.001);
});
