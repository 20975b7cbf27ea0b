import { expect, test } from "vitest";
import type { PointRow } from "../bench/results/result.ts";
import { lead, short, shortSpread } from "./format.ts";
import { syntheticRows } from "./synthetic.ts";
import { terminalTable } from "./table.ts";

const all = syntheticRows({ engines: 10, workloads: 17, seeds: 3 }).points;
const few = syntheticRows({ engines: 6, workloads: 3, seeds: 3 }).points;

function linesOf(rows: readonly PointRow[], columns: number): string[] {
  return terminalTable(rows, { columns, colour: false }).split("\n");
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
  const plain = terminalTable(few, { columns: 100, colour: false });
  const coloured = terminalTable(few, { columns: 100, colour: true });
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
  const text = terminalTable([...other, ...few], { columns: 100, colour: false });
  const titles = text.split("\n").filter((line) => line.startsWith("Slowdown"));
  expect(titles).toEqual([
    "Slowdown over native, skylake-sp, 4 KiB host pages, 4-on-4 levels",
    "Slowdown over native, textbook, 4 KiB host pages, 4-on-4 levels",
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

// Seen failing: a draw that counts for the first of those who drew; an arithmetic mean.
test("a draw counts for each of those who drew, and means are geometric", () => {
  const slowdowns: Readonly<Record<string, readonly number[]>> = {
    native: [1, 1, 1],
    shadow: [8, 2, 3],
    "shadow-lazy": [1, 2, 3],
    ept: [1, 2, 4],
  };
  const { points } = syntheticRows({ engines: 4, workloads: 3, seeds: 1 });
  const engines = [...new Set(points.map(({ key }) => key.engine))];
  const workloads = [...new Set(points.map(({ key }) => key.workload))];
  const rows = points.map((row): PointRow => {
    const engine = Object.keys(slowdowns)[engines.indexOf(row.key.engine)] ?? "";
    const slowdown = slowdowns[engine]?.[workloads.indexOf(row.key.workload)] ?? null;
    return { ...row, key: { ...row.key, engine }, slowdown };
  });
  const text = linesOf(rows, 100).join(" ").replaceAll(/\s+/g, " ");
  expect(text).toContain("Fastest, shared places counted: shadow-lazy 3, shadow 2, ept 2.");
  // Cube roots of 48, 6 and 8.
  expect(text).toContain("Geometric mean of 3: shadow 3.63, shadow-lazy 1.82, ept 2.00.");
});
