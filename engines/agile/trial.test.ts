/**
 * When agile paging shadows anything at all: by what walks cost, and given up where exits cost more.
 *
 * Seen failing with: a trial in the first interval, one that is never judged, judged at once, or judged while its costs fall,
 * and a wait that does not grow.
 */
import { expect, test } from "vitest";
import { createLedger } from "../../machine/counters.ts";
import { Trial, type TrialPolicy } from "./trial.ts";

const policy: TrialPolicy = {
  intervalAccesses: 1000,
  exitCycles: 100,
  nestedReferenceCycles: 1,
  worthCycles: 500,
};

/** Runs intervals of these costs, on trial or not; returns those after which a trial ran, and those in which one failed. */
function run(
  costs: (interval: number, isOn: boolean) => number,
  intervals: number,
  exits: (isOn: boolean) => number = () => 0,
) {
  const trial = new Trial(policy);
  const counts = createLedger();
  const on: number[] = [];
  const failed: number[] = [];
  for (let i = 0; i < intervals; i++) {
    counts.walkReferencesNested += costs(i, trial.isOn);
    counts.exits += exits(trial.isOn);
    if (trial.endInterval([counts])) failed.push(i);
    if (trial.isOn) on.push(i);
  }
  return { on, failed };
}

test("a guest whose walks cost little is left nested, and one that costs much only at first", () => {
  expect(run(() => 499, 20).on).toEqual([]);
  expect(run((i) => (i < 3 ? 5000 : 100), 20).on).toEqual([]);
});

test("a trial begins after four dear intervals, and goes on while it costs less than they did", () => {
  expect(run((_, isOn) => (isOn ? 400 : 500), 8)).toEqual({ on: [3, 4, 5, 6, 7], failed: [] });
});

test("one that costs more fails after its grace, and the next waits twice as long", () => {
  const { failed } = run((_, isOn) => (isOn ? 600 : 500), 60);
  const lengths = failed.slice(1).map((at, i) => at - failed[i]!);
  expect(failed[0]).toBe(9);
  expect(lengths).toEqual([15, 23]);
});

test("one whose costs fall is waited for", () => {
  const filling = run((i, isOn) => (isOn ? 100_000 * 0.8 ** i : 500), 20);
  expect(filling.failed).toEqual([]);
});

test("exits that come anyhow begin no trial, and those that it causes end it", () => {
  expect(
    run(
      () => 0,
      20,
      () => 50,
    ).on,
  ).toEqual([]);
  expect(
    run(
      () => 500,
      20,
      (isOn) => (isOn ? 8 : 5),
    ).failed,
  ).toEqual([9]);
  expect(
    run(
      () => 500,
      20,
      () => 5,
    ).failed,
  ).toEqual([]);
});
