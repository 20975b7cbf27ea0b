/**
 * Sharing between whole guests: what each scenario costs and saves, the same every time, nobody's data seen.
 */
import { expect, test } from "vitest";
import { assert } from "../../machine/assert.ts";
import { workloads } from "../../workloads/index.ts";
import { fullParams } from "../../bench/points/params.ts";
import { exitCounters } from "../../bench/results/result.ts";
import { share, type ShareOptions, type ScenarioName } from "./share.ts";

const small: Omit<ShareOptions, "scenarios" | "engines"> = {
  workload: "key-value",
  params: fullParams(workloads["key-value"], { pages: 256, requests: 300, writePercent: 30 }),
  preset: "skylake-sp",
  backing: "4k",
  guestLevels: 4,
  nestedLevels: 4,
  seed: 1,
  guests: undefined,
  settings: { every: 1000, limitPercent: 60 },
  check: true,
};

const run = (
  scenario: ScenarioName,
  engines: readonly string[],
  change: Partial<ShareOptions> = {},
) => share({ ...small, ...change, scenarios: [scenario], engines });

async function one(scenario: ScenarioName, engine: string, change: Partial<ShareOptions> = {}) {
  const [row] = await run(scenario, [engine], change);
  assert(row !== undefined, "share: no row");
  return row;
}

test("a clone breaks a share per page that it writes, and the last user none", async () => {
  const two = await one("clone", "ept", { guests: 2 });
  const four = await one("clone", "ept", { guests: 4 });
  // Every guest writes the same pages, for all run the same program.
  expect(four.sharesBroken).toBe(3 * two.sharesBroken);
  expect(four.sharesReused).toBe(two.sharesReused);
  expect(four.framesSavedPeak).toBe(3 * two.framesSavedPeak);
});

// Seen failing: a list of two exit reasons, so that a row's parts did not make its whole.
test.each(["shadow-lazy", "ept-pml"])(
  "%s: the exits of a row are the sum of its reasons",
  async (engine) => {
    const row = await one("merge", engine);
    const sum = exitCounters.reduce((total, name) => total + row[name], 0);
    expect(row.exits).toBe(sum);
    expect(sum).toBeGreaterThan(0);
  },
);

test("snapshots cost every engine copies, and nested paging the most exits for its few", async () => {
  const rows = await run("snapshot", ["shadow", "shadow-lazy", "ept"]);
  for (const row of rows) {
    expect(row.sharesBroken).toBeGreaterThan(0);
    expect(row.exits).toBeGreaterThan(row.exitsAlone);
    expect(row.slowdown).toBeGreaterThan(1);
  }
});

test("merging finds what two guests of one program hold in common", async () => {
  const row = await one("merge", "shadow-lazy");
  expect(row.framesSavedPeak).toBeGreaterThan(256);
  expect(row.framesSavedEnd).toBeLessThan(row.framesSavedPeak);
});

test("overcommitted pages come back by major faults, more of them the less may stay", async () => {
  const some = await one("overcommit", "ept", { settings: { every: 1000, limitPercent: 80 } });
  const few = await one("overcommit", "ept", { settings: { every: 1000, limitPercent: 40 } });
  expect(some.hostMajorFaults).toBeGreaterThan(0);
  expect(few.hostMajorFaults).toBeGreaterThan(some.hostMajorFaults);
});

test("a page of a 2 MiB mapping that goes another way takes its neighbours with it", async () => {
  const small4k = await one("merge", "ept");
  const large = await one("merge", "ept", { backing: "2m" });
  expect(small4k.neighboursUnmapped).toBe(0);
  expect(large.neighboursUnmapped).toBeGreaterThan(0);
});

test("the same again is the same, with and without oracles", async () => {
  const bare = await run("merge", ["ept"], { check: false });
  const checked = await run("merge", ["ept"]);
  const again = await run("merge", ["ept"]);
  expect(again).toEqual(checked);
  expect(bare).toEqual(checked.map((row) => ({ ...row, checked: 0 })));
});

test("bare metal has no host: said in one line", async () => {
  await expect(run("clone", ["native"])).rejects.toThrow(/engine native: bare metal has no host/);
});

// Seen failing: a driver that keeps the frames to itself, and one that takes frames in use.
test("a balloon takes free memory, which costs faults when it is used again, and nothing in use", async () => {
  for (const engine of ["shadow", "shadow-lazy", "ept"]) {
    const row = await one("balloon", engine);
    expect(row.framesSavedPeak).toBeGreaterThanOrEqual(row.framesSavedEnd);
    expect(row.framesSavedPeak).toBeGreaterThan(256);
    expect([row.hostFaults > 0, row.hostMajorFaults]).toEqual([true, 0]);
    expect(row.checked).toBeGreaterThan(10_000);
  }
});
