/**
 * The claims of the topic of policies, on programs so small that every direction just holds.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { Experiment } from "../experiment.ts";
import type { WhyPoint } from "../plan.ts";
import { type NamedFinding, runWhy } from "../run-why.ts";
import { policy } from "../topics/policy.ts";

const small: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  forkwait: { forks: 20 },
  "mprotect-gc": { accesses: 3000, collectionRounds: 2 },
  syscalls: { calls: 300 },
  boot: { services: 4 },
  compile: { jobs: 2 },
  "key-value": { pages: 2048, requests: 4000 },
  uniform: { accesses: 20_000 },
};

function onSmallPrograms({ title, points, read }: Experiment): Experiment {
  const shrunk = (point: WhyPoint): WhyPoint => {
    return { ...point, params: { ...point.params, ...small[point.workload] } };
  };
  return {
    title,
    points: points.map(shrunk),
    read: (findings) =>
      read({
        ...findings,
        row: (point) => findings.row(shrunk(point)),
        native: (point) => findings.native(shrunk(point)),
      }),
  };
}

const experiments = Object.fromEntries(
  Object.entries(policy.experiments).map(([name, one]) => [name, onSmallPrograms(one)] as const),
);
let findings: readonly NamedFinding[] = [];

beforeAll(async () => {
  const out = mkdtempSync(join(tmpdir(), "why-policy-"));
  const { signal } = new AbortController();
  const options = { experiments, out, workers: 1, signal, onFinished: () => undefined };
  ({ findings } = await runWhy(options));
}, 300_000);

test.each(Object.keys(experiments))("%s: every direction of its claim holds", (name) => {
  const found = findings.find((finding) => finding.name === name);
  expect(found?.checks.length).toBeGreaterThan(0);
  expect(found?.checks.filter(({ holds }) => !holds)).toEqual([]);
});

// Seen failing with lots drawn the wrong way round.
test("guarding more leaf tables never costs less", () => {
  const table = findings.find(({ name }) => name === "policed-share")?.tables[0];
  expect(table?.rows).toHaveLength(4);
  for (const row of table?.rows ?? []) {
    const shares = [0, 25, 50, 100].map((share) => Number(row[`guarded${share}`]));
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  }
});
