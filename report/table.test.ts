import { expect, test } from "vitest";
import type { PointRow } from "../bench/results/result.ts";
import { lead, short, shortSpread } from "./format.ts";
import { syntheticRows } from "./synthetic.ts";
import { terminalTable } from "./table.ts";

const all = syntheticRows({ engines: 10, workloads: 17, seeds: 3 }).points;
const few = syntheticRows({ engines: 6, workloads: 3, seeds: 3 }).points;
const families = { shadow: "shadow", "shadow-lazy": "shadow", ept: "nested" };

function linesOf(rows: readonly PointRow[], columns: number): string[] {
  return terminalTable(rows, { columns, colour: false, families }).split("\n");
}

test.each([40, 60, 80, 100, 160])("ten engines and 17 workloads fit into %d columns", (columns) => {
  for (const line of linesOf(all, columns)) expect(line.length).toBeLessThanOrEqual(columns);
});

test("at 100 columns every engine has its column and every workload its line", () => {
  const lines = linesOf(all, 100);
  const line = lines.find((text) => text.startsWith("mmap-churn"));
  expect(line?.replaceAll(/ +/g, " ")).toBe(
    "mmap-churn 9.41 4.28 5.82 9.41 1.13* 1.13* 1.14* 1.45 1.15 0.6% 1.1%",
  );
});

test("a wide terminal shows the spread in every cell", () => {
  const text = linesOf(all, 160).join("\n");
  expect(text).toContain("7.80±.04");
  expect(text).not.toContain("±max");
});

test("a narrow terminal gets a list, the fastest first", () => {
  const lines = linesOf(all, 60);
  const start = lines.indexOf("fork-storm");
  expect(lines[start + 1]).toBe("  ept 1.15±0*, npt 1.15±0*, ept-pml 1.16±0*, ept-ad 1.17±0,");
});

test("colour is written only on request and never changes the text", () => {
  const plain = terminalTable(few, { columns: 100, colour: false, families });
  const coloured = terminalTable(few, { columns: 100, colour: true, families });
  expect(plain).not.toContain("\u001B");
  expect(coloured).toContain("\u001B[1;32m");
  const escape = String.fromCodePoint(27);
  expect(coloured.replaceAll(new RegExp(`${escape}\\[[0-9;]*m`, "g"), "")).toBe(plain);
});

test("the remark of a trace stands beside its mark", () => {
  const text = linesOf(all, 100).join("\n");
  expect(text).toContain("trace-sqlite3†");
  expect(text).toContain("† user-only: its update rate is a lower bound");
});

test("settings are not mixed: each has its own table, the largest first", () => {
  const other = few
    .slice(0, 12)
    .map((row): PointRow => ({ ...row, key: { ...row.key, preset: "textbook" } }));
  const text = terminalTable([...other, ...few], { columns: 100, colour: false, families });
  const titles = text.split("\n").filter((line) => line.startsWith("Slowdown"));
  expect(titles).toEqual([
    "Slowdown over native, skylake-sp, 4 KiB guest pages on 4 KiB host pages, 4-on-4 levels",
    "Slowdown over native, textbook, 4 KiB guest pages on 4 KiB host pages, 4-on-4 levels",
  ]);
});

test("of the parameters only those that differ are shown", () => {
  const bigger = few
    .filter(({ key }) => key.workload === "strided")
    .map((row): PointRow => ({
      ...row,
      key: { ...row.key, id: row.key.id + 100, params: { pages: 4096 } },
    }));
  const text = linesOf([...few, ...bigger], 120).join("\n");
  expect(text).toContain("\nsequential ");
  expect(text).toContain("\nstrided pages=16384 ");
  expect(text).toContain("\nstrided pages=4096 ");
});

test("without native rows engines are compared by cycles per access", () => {
  const rows = few
    .filter(({ key }) => key.engine !== "native")
    .map((row) => ({ ...row, slowdown: null }));
  expect(linesOf(rows, 100).join("\n")).toContain("Cycles per access (no native rows to compare");
});

test("native alone has nothing to be compared with", () => {
  const rows = few.filter(({ key }) => key.engine === "native");
  expect(linesOf(rows, 100)).toContain("No engine beside native.");
});

test.each([
  [0, "0"],
  [0.00001, "<0.0001"],
  [0.0034, "0.0034"],
  [0.0999, "0.10"],
  [1.0049, "1.00"],
  [9.996, "10.0"],
  [17.68, "17.7"],
  [99.97, "100"],
  [12_345, "12,300"],
  [1_234_567, "1,230,000"],
])("%d is printed as %s", (value, text) => {
  expect(short(value)).toBe(text);
});

test("spreads and leads use the digits that their values have", () => {
  expect(shortSpread(0.021, 1.5)).toBe(".02");
  expect(shortSpread(0.26, 17.7)).toBe(".3");
  expect(shortSpread(0.001, 1.5)).toBe("0");
  expect(lead(1.012)).toBe("1.2%");
  expect(lead(1.5)).toBe("50%");
  expect(lead(17.7)).toBe("17.7x");
});

/** Rows of `native`, `shadow`, `shadow-lazy` and `ept` with these slowdowns, one per program. */
function rowsWith(
  slowdowns: Readonly<Record<string, readonly number[]>>,
  change: (key: PointRow["key"]) => Partial<PointRow> = () => ({}),
): PointRow[] {
  const { points } = syntheticRows({ engines: 4, workloads: 3, seeds: 1 });
  const engines = [...new Set(points.map(({ key }) => key.engine))];
  const workloads = [...new Set(points.map(({ key }) => key.workload))];
  return points.map((row): PointRow => {
    const engine = Object.keys(slowdowns)[engines.indexOf(row.key.engine)] ?? "";
    const slowdown = slowdowns[engine]?.[workloads.indexOf(row.key.workload)] ?? null;
    const key = { ...row.key, engine };
    return { ...row, key, slowdown, ...change(key) };
  });
}

const threePrograms = {
  native: [1, 1, 1],
  shadow: [8, 2, 3],
  "shadow-lazy": [1, 2, 3],
  ept: [1, 2, 4],
};

function textOf(rows: readonly PointRow[]): string {
  return linesOf(rows, 100).join(" ").replaceAll(/\s+/g, " ");
}

// Seen failing: a draw that counts for shadow paging; an arithmetic mean.
test("a draw is nobody's win, and means are geometric", () => {
  const text = textOf(rowsWith(threePrograms));
  expect(text).toContain("Faster, in rows: shadow paging 1, two-dimensional walks 0; draws 2.");
  // Cube roots of 48, 6 and 8.
  expect(text).toContain("Geometric mean of 3 programs: shadow 3.63, shadow-lazy 1.82, ept 2.00.");
});

// Seen failing: the mean over rows.
test("a program counts once in a mean, however many rows it has", () => {
  const rows = rowsWith(threePrograms);
  const again = rows
    .filter(({ key }) => key.workload === "sequential")
    .map((row): PointRow => ({
      ...row,
      key: { ...row.key, id: row.key.id + 100, params: { pages: 4096 } },
    }));
  expect(textOf([...rows, ...again])).toContain("Geometric mean of 3 programs: shadow 3.63,");
});

// Seen failing: `unlogged` always empty.
test("who keeps no dirty log wins nothing where others do, and the row leaves the means", () => {
  const text = textOf(
    rowsWith({ ...threePrograms, ept: [2, 2, 4] }, ({ engine, workload }) => {
      const logs = workload === "sequential" && engine === "ept";
      const [row] = few;
      return row === undefined
        ? {}
        : { counters: { ...row.counters, dirtyPagesReported: logs ? 1 : 0 } };
    }),
  );
  expect(text).toContain("Geometric mean of 2 programs: shadow 2.45, shadow-lazy 2.45, ept 2.83.");
  expect(text).toMatch(/sequential 8.00 1.00 2.00\*/);
});

// Seen failing: `isComparable` always true.
test("a guest's large pages on small host pages have no mean and no winner", () => {
  const text = textOf(
    rowsWith(threePrograms, (key) => ({ key: { ...key, params: { pageSize: "2m" } } })),
  );
  expect(text).toContain("2 MiB guest pages on 4 KiB host pages");
  expect(text).toContain("No mean, no winners");
  expect(text).not.toContain("Geometric mean");
});
