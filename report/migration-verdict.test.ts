import { expect, test } from "vitest";
import type { MigrationResult } from "../bench/results/result.ts";
import { verdictOf } from "./migration-verdict.ts";

function resultWith(outcome: Partial<MigrationResult["outcome"]>): Parameters<typeof verdictOf>[0] {
  const made = {
    verdict: "converged",
    rounds: 4,
    totalMs: 60,
    downtimeMs: 0.25,
    guestSlowdown: 1.02,
    dirtyPagesPerSecond: 50_000,
    ...outcome,
  };
  const key = { engine: "ept-pml", migration: { bandwidthBitsPerSecond: 10e9 } };
  return { key, outcome: made } as MigrationResult;
}

test("times are shown in full, and a slowdown of a few percent in percent", () => {
  expect(verdictOf(resultWith({}), 1000)).toBe(
    "ept-pml: converges: 60.0 s, 4 rounds, the guest stands still for 250 ms; the log sees 205 MB/s, and the guest runs 2.00 % slower meanwhile.",
  );
});

// Seen failing: the verdict alone, which calls a strangled guest a success.
test("a guest that is slowed down until it converges is said to be", () => {
  expect(verdictOf(resultWith({ guestSlowdown: 13 }), 1000)).toContain(
    "converges because the guest is slowed down",
  );
  expect(verdictOf(resultWith({ guestSlowdown: 13 }), 1000)).toContain("1/13.0 of its speed");
});

test("what does not converge says what the log sees and the link sends", () => {
  const text = verdictOf(resultWith({ verdict: "forced" }), 1);
  expect(text).toContain("does not converge");
  expect(text).toContain("the log sees 205 MB/s, the link sends 1,250 MB/s");
});
