import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { PointKey, PointRow, ResultRows } from "../bench/results/result.ts";
import { charts } from "./charts/index.ts";
import { chartSpecs, pngOf, renderCharts, svgOf } from "./render.ts";
import { syntheticRows } from "./synthetic.ts";

const root = mkdtempSync(join(tmpdir(), "shadewalk-charts-"));
afterAll(() => rmSync(root, { recursive: true }));

const small = syntheticRows({ engines: 2, workloads: 8, seeds: 1 });
const isInTiny = ({ key }: { readonly key: PointKey }) => key.workload === "demand-paging";
const tiny = { points: small.points.filter(isInTiny), walks: small.walks.filter(isInTiny) };
const full = syntheticRows({ engines: 10, workloads: 17, seeds: 3 });

function specOf(rows: ResultRows, name: string) {
  const found = chartSpecs(rows).find((one) => one.name === name);
  if (found === undefined) throw new Error(`no chart ${name}`);
  return found.spec;
}

function svgText(svg: string): string {
  return svg.replaceAll(/<[^>]*>/g, "\n");
}

test("every chart of the registry is written as spec, SVG and PNG, and nothing else", async () => {
  const names = await renderCharts({ folder: root, rows: tiny });
  const files = Object.keys(charts).flatMap((name) =>
    ["vl.json", "svg", "png"].map((extension) => `${name}.${extension}`),
  );
  expect(readdirSync(join(root, "charts")).toSorted()).toEqual(files.toSorted());
  expect(names.toSorted()).toEqual(files.map((file) => `charts/${file}`).toSorted());
});

test("charts of an earlier run are gone after the next", async () => {
  await renderCharts({ folder: root, rows: tiny });
  writeFileSync(join(root, "charts", "old.svg"), "");
  await renderCharts({ folder: root, rows: tiny });
  expect(readdirSync(join(root, "charts"))).not.toContain("old.svg");
  expect(readdirSync(root)).toEqual(["charts"]);
});

test("the same rows give the same spec and the same SVG", async () => {
  for (const name of Object.keys(charts)) {
    const spec = specOf(small, name);
    expect(JSON.stringify(specOf(small, name))).toBe(JSON.stringify(spec));
    expect(await svgOf(spec)).toBe(await svgOf(spec));
  }
});

test.each(Object.keys(charts))("the spec of %s is as it was last looked at", (name) => {
  expect(specOf(tiny, name)).toMatchSnapshot();
});

test("a PNG has text, which it has not without the font file", async () => {
  const svg = await svgOf(specOf(tiny, "cycles"));
  const withFont = pngOf(svg);
  expect(withFont).not.toEqual(pngOf(svg, []));
  expect(withFont).toEqual(pngOf(svg));
  // Signature of PNG.
  expect([...withFont.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
});

test("every quantitative axis and colour scale says its unit", () => {
  const titles = JSON.stringify(chartSpecs(full)).match(/"title":"[^"]*"/g) ?? [];
  expect([...new Set(titles)].toSorted()).toEqual([
    '"title":"cause"',
    '"title":"cycles relative to native (x)"',
    '"title":"exit reason"',
    '"title":"exits per 1000 guest accesses"',
    '"title":"misses of the first level"',
    '"title":"misses per 1000 guest accesses"',
    '"title":"references per walk (reads)"',
    '"title":"slowdown over native (x), logarithmic"',
  ]);
});

test.each(Object.keys(charts))("%s of ten engines and 17 workloads loses no text", async (name) => {
  const text = svgText(await svgOf(specOf(full, name)));
  expect(text).not.toContain("…");
  for (const engine of ["shadow-vtlb", "ept-pml"]) expect(text).toContain(engine);
  expect(text).toContain("trace-sqlite3†");
  expect(text).toContain("† user-only: its update rate is a lower bound");
});

test("parts of a bar add up to the number behind it", () => {
  interface Bar {
    readonly case: string;
    readonly engine: string;
    readonly value: number;
    readonly text?: string;
  }
  const { data } = specOf(full, "cycles") as unknown as { data: { values: readonly Bar[] } };
  const bars = Map.groupBy(data.values, (bar) => `${bar.case} ${bar.engine}`);
  expect(bars.size).toBe(170);
  for (const parts of bars.values()) {
    const total = parts.reduce((sum, { value }) => sum + value, 0);
    expect(total.toFixed(2)).toBe(parts.find(({ text }) => text !== undefined)?.text);
  }
});

test("a workload without exits is named instead of drawn as an empty panel", () => {
  expect(JSON.stringify(specOf(full, "exits"))).toContain(
    '"No exits at all: sequential, strided, uniform, pointer-chase, gups, btree"',
  );
});

test("hostile names stay text", async () => {
  const hostile = "</script><img onerror=alert(1)>'];//";
  const points = small.points.map((row): PointRow => ({
    ...row,
    key: { ...row.key, workload: hostile, engine: row.key.engine },
  }));
  for (const { spec } of chartSpecs({ points, walks: small.walks })) {
    const svg = await svgOf(spec);
    expect(svg).not.toContain("<img");
    expect(svg).toContain("&lt;img onerror");
  }
});

test("rows without a native run still have charts of what needs none", () => {
  const points = full.points
    .filter(({ key }) => key.engine !== "native")
    .map((row) => ({ ...row, slowdown: null }));
  const names = chartSpecs({ points, walks: full.walks }).map(({ name }) => name);
  expect(names).toEqual(["exits", "walk-lengths", "tlb-misses"]);
});

test("each further setting has its own charts under its own names", () => {
  const other = small.points.map((row): PointRow => ({
    ...row,
    key: { ...row.key, id: row.key.id + 1000, backing: "2m" },
  }));
  const names = chartSpecs({ points: [...full.points, ...other], walks: full.walks }).map(
    ({ name }) => name,
  );
  expect(names).toContain("cycles");
  expect(names).toContain("cycles-skylake-sp-2m-4on4");
});

test("a spec is readable on its own: it names its schema and holds its data", async () => {
  await renderCharts({ folder: root, rows: tiny });
  const spec: unknown = JSON.parse(readFileSync(join(root, "charts", "cycles.vl.json"), "utf8"));
  expect(spec).toMatchObject({
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: { text: "Where the cycles go under each engine" },
  });
});
