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

test("choosing process by process is seen to lose where it does", () => {
  expect(failing("hybrids-processes", "shsp-process", slower)).toEqual([
    "process by process beats EPT and the whole guest in turns of every length",
    "and agile paging",
    "where processes do not differ it is within 5% of the better side",
  ]);
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

test("the chart of all schemes adds up to what they cost more than the guest's own work", () => {
  const { figures } = experiments.hybrids.read(findingsOf(rows, presetCosts()));
  const [chart] = figures;
  if (chart?.kind !== "bars") throw new Error("no bars");
  for (const { name, bars } of chart.data.panels) {
    expect(bars.map((bar) => bar.name)).toContain("ept-flat");
    const valuesOf = (engine: string) => bars.find((bar) => bar.name === engine)?.values ?? [];
    expect(valuesOf("native").slice(1), name).toEqual([0, 0, 0]);
    const row = rows.points.find(
      ({ key, region }) =>
        region === "measured" &&
        key.engine === "ept" &&
        key.workload === name &&
        key.backing === "2m",
    );
    if (row === undefined) throw new Error(`no point of ${name}`);
    const { guestCompute, guestAccess, guestKernel } = row.cycles;
    const added =
      (row.cyclesTotal - guestCompute - guestAccess - guestKernel) / row.counters.accesses;
    expect(
      valuesOf("ept").reduce((sum, one) => sum + one, 0),
      name,
    ).toBeCloseTo(added, 3);
  }
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
