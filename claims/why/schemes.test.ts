/** What is claimed of hybrids and shapes of tables follows from its runs, and is given up when they say otherwise. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { presetCosts } from "../../bench/costs/cost-file.ts";
import type { PointRow, ResultRows } from "../../bench/results/result.ts";
import { findingsOf } from "./findings.ts";
import { type NamedFinding, runWhy } from "./run-why.ts";
import { schemes } from "./topics/schemes.ts";

const { experiments } = schemes;
let findings: readonly NamedFinding[] = [];
let rows: ResultRows = { points: [], walks: [] };

beforeAll(async () => {
  ({ findings, rows } = await runWhy({
    experiments,
    out: mkdtempSync(join(tmpdir(), "why-schemes-")),
    workers: 1,
    signal: new AbortController().signal,
    onFinished: () => undefined,
  }));
}, 300_000);

test.each(Object.keys(experiments))("%s: every direction of its claim holds", (name) => {
  const found = findings.find((finding) => finding.name === name);
  expect(found?.checks.length).toBeGreaterThan(1);
  expect(found?.checks.filter(({ holds }) => !holds)).toEqual([]);
});

/** Which checks fail when the rows of an engine are changed. */
function failing(
  name: keyof typeof experiments,
  engine: string,
  change: (row: PointRow) => PointRow,
) {
  const points = rows.points.map((row) => (row.key.engine === engine ? change(row) : row));
  const { checks } = experiments[name].read(findingsOf({ points, walks: [] }, presetCosts()));
  return checks.filter(({ holds }) => !holds).map(({ direction }) => direction);
}

const slower = (row: PointRow): PointRow => ({ ...row, cyclesTotal: 1.3 * row.cyclesTotal });

test("a hybrid that loses is seen to lose", () => {
  expect(failing("hybrids", "shsp", slower)).toContain("switching is within 5% of the better side");
  expect(failing("hybrids", "agile", slower)).toContain("agile paging beats both on average");
});

test("a hybrid that gains on a real Linux, or loses, is seen to", () => {
  const faster = (row: PointRow): PointRow => ({ ...row, cyclesTotal: 0.9 * row.cyclesTotal });
  expect(failing("hybrids-linux", "agile", faster)).toEqual([
    "neither hybrid beats the better side",
  ]);
  expect(failing("hybrids-linux", "shsp", slower)).toEqual([
    "both are within 2% of it in all but one",
  ]);
});

test("a shape whose walks grow is seen to grow", () => {
  const longer = (row: PointRow): PointRow => {
    const { counters } = row;
    const walkReferencesNested = 2 * counters.walkReferencesNested + counters.walks;
    return { ...row, counters: { ...counters, walkReferencesNested } };
  };
  expect(failing("table-shapes", "ept-flat", longer)).toContain(
    "neither shape walks by more references than the tree",
  );
});
