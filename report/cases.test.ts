import { expect, test } from "vitest";
import type { PointKey, PointRow, ResultRows } from "../bench/results/result.ts";
import { arrange } from "./cases.ts";
import { syntheticRows } from "./synthetic.ts";

const base = syntheticRows({ engines: 6, workloads: 4, seeds: 1 });

function changed(rows: ResultRows, change: (key: PointKey) => Partial<PointKey>): ResultRows {
  const edit = <R extends { readonly key: PointKey }>(row: R): R => ({
    ...row,
    key: { ...row.key, ...change(row.key) },
  });
  return { points: rows.points.map(edit), walks: rows.walks.map(edit) };
}

function labelsOf(params: readonly PointKey["params"][]): string[] {
  const [row] = base.points.filter(({ region }) => region === "measured");
  const points = params.map((one, id): PointRow => {
    if (row === undefined) throw new Error("no rows");
    return { ...row, key: { ...row.key, id, params: one } };
  });
  return arrange({ points, walks: [] }).flatMap(({ cases }) => cases.map(({ label }) => label));
}

test("only the measured region is compared", () => {
  const series = arrange(base).flatMap(({ cases }) => cases.flatMap((one) => one.series));
  expect(series.length).toBe(24);
  for (const { points, walks } of series) {
    expect(points.map(({ region }) => region)).toEqual(["measured"]);
    expect(new Set(walks.map(({ region }) => region))).toEqual(new Set(["measured"]));
  }
});

test("engines keep the order in which the sweep names them", () => {
  expect(arrange(base)[0]?.engines).toEqual([
    "native",
    "shadow",
    "shadow-vtlb",
    "shadow-lazy",
    "shadow-wp",
    "ept",
  ]);
});

test("a label has the fewest parameters that tell the cases apart", () => {
  expect(labelsOf([{ pages: 64 }])).toEqual(["sequential"]);
  expect(labelsOf([{ pages: 64 }, { pages: 128 }])).toEqual([
    "sequential pages=64",
    "sequential pages=128",
  ]);
});

test("how long a program runs is named only where nothing else differs", () => {
  expect(
    labelsOf([
      { accesses: 100, pageSize: "4k", pages: 64 },
      { accesses: 200, pageSize: "4k", pages: 128 },
      { accesses: 300, pageSize: "2m", pages: 64 },
    ]),
  ).toEqual(["sequential pages=64", "sequential pages=128", "sequential"]);
  expect(labelsOf([{ accesses: 100 }, { accesses: 200 }])).toEqual([
    "sequential accesses=100",
    "sequential accesses=200",
  ]);
});

// Seen failing: a word only where it tells cases apart.
test("what the kernel does beyond the usual is always named, what is usual never", () => {
  expect(labelsOf([{ kpti: 1, pcid: 1, usedMemory: 1 }])).toEqual(["sequential KPTI"]);
  expect(
    labelsOf([
      { kpti: 0, pcid: 1, usedMemory: 1 },
      { kpti: 0, pcid: 1, usedMemory: 0 },
      { kpti: 1, pcid: 0, usedMemory: 1 },
    ]),
  ).toEqual(["sequential", "sequential cold-host", "sequential KPTI no-PCID"]);
});

test("guests of small and of large pages are settings of their own", () => {
  const both = [{ pageSize: "4k" }, { pageSize: "2m" }];
  const [row] = base.points.filter(({ region }) => region === "measured");
  const points = both.map((params, id): PointRow => {
    if (row === undefined) throw new Error("no rows");
    return { ...row, key: { ...row.key, id, params } };
  });
  expect(arrange({ points, walks: [] }).map(({ isComparable }) => isComparable)).toEqual([
    true,
    false,
  ]);
});

test("machines are never mixed, the one with most points comes first", () => {
  const small = changed(syntheticRows({ engines: 6, workloads: 2, seeds: 1 }), ({ id }) => ({
    id: id + 100,
    backing: "2m",
    nestedLevels: 5,
  }));
  const both = {
    points: [...small.points, ...base.points],
    walks: [...small.walks, ...base.walks],
  };
  expect(arrange(both).map(({ title, slug, cases }) => [title, slug, cases.length])).toEqual([
    ["skylake-sp, 4 KiB guest pages on 4 KiB host pages, 4-on-4 levels", "", 4],
    ["skylake-sp, 4 KiB guest pages on 2 MiB host pages, 4-on-5 levels", "skylake-sp-2m-4on5", 2],
  ]);
});

test("cases that few engines ran stand apart, so that no figure has holes", () => {
  const few = changed(syntheticRows({ engines: 6, workloads: 3, seeds: 1 }), ({ id }) => ({
    id: id + 100,
    params: { pages: 64 },
  }));
  const keep = ({ key }: { readonly key: PointKey }) =>
    key.id < 100 || ["native", "shadow", "ept"].includes(key.engine);
  const rows = { points: [...base.points, ...few.points].filter(keep), walks: [] };
  expect(
    arrange(rows).map(({ engines, slug, cases }) => [engines.length, slug, cases.length]),
  ).toEqual([
    [6, "", 4],
    [3, "only-shadow-ept", 3],
  ]);
});

// Seen failing: with all names in the file's name, which no file system took.
test("many engines of a group are counted, since a file's name has an end", () => {
  const many = syntheticRows({ engines: 10, workloads: 2, seeds: 1 }).points.map((row) => ({
    ...row,
    key: { ...row.key, id: row.key.id + 1000, params: { pages: 64 } },
  }));
  const points = [...syntheticRows({ engines: 2, workloads: 4, seeds: 1 }).points, ...many];
  const [, group] = arrange({ points, walks: [] });
  expect(group?.slug).toBe("group-2");
  expect(group?.title).toMatch(/, programs of 9 engines \(group 2\)$/);
});

// Seen failing: by points, the setting of 24 engines and one seed became what the page is about.
test("the setting of most programs and seeds comes first, whatever its engines are", () => {
  const wide = changed(syntheticRows({ engines: 10, workloads: 2, seeds: 1 }), ({ id }) => ({
    id: id + 1000,
    preset: "p4-vtx",
  }));
  const deep = syntheticRows({ engines: 3, workloads: 2, seeds: 3 });
  const rows = { points: [...wide.points, ...deep.points], walks: [] };
  expect(arrange(rows).map(({ engines }) => engines.length)).toEqual([3, 10]);
});

test("one odd case stays with the rest: an interrupted sweep is not torn to pieces", () => {
  const points = base.points.filter(
    ({ key }) => !(key.workload === "uniform" && key.engine === "ept"),
  );
  const [all, ...others] = arrange({ points, walks: [] });
  expect(others).toEqual([]);
  expect(all?.cases.map(({ series }) => series.length)).toEqual([6, 6, 5, 6]);
});
