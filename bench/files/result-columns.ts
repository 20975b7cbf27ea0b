/**
 * The columns of `points.csv` and `walks.csv`, once for writing and reading.
 *
 * Column names equal the names in the code; counters and cycle categories derive from their lists.
 */
import { counterNames, cycleCategories, type PointRow, type WalkRow } from "../results/result.ts";

/** What a cell may hold before it is text. */
export type Cell = string | number | null;

/** Columns of a parameter start so; the column `params` holds all of them and is the one read back. */
export const paramPrefix = "param_";

const keyColumns = [
  "id",
  "engine",
  "workload",
  "params",
  "preset",
  "backing",
  "guestLevels",
  "nestedLevels",
  "seed",
  "region",
] as const;

const pricedColumns = [...cycleCategories.map(cyclesColumn), "cycles_total", "slowdown"];

/** Every column that a points file must have. */
export const pointColumns: readonly string[] = [
  ...keyColumns,
  ...counterNames,
  "checksum",
  "computeCyclesPerOp",
  "cost",
  ...pricedColumns,
  "label",
];

export const walkColumns: readonly string[] = [...keyColumns, "references", "walks"];

export function cyclesColumn(category: string): string {
  return `cycles_${category}`;
}

/** One column for each parameter that any workload of these rows has, so that a plot needs no JSON. */
export function paramColumns(rows: readonly { readonly key: PointRow["key"] }[]): string[] {
  const names = new Set(rows.flatMap(({ key }) => Object.keys(key.params)));
  return [...names].toSorted().map((name) => paramPrefix + name);
}

export function pointRecord(row: PointRow): Record<string, Cell> {
  const { key, counters, cycles } = row;
  return {
    ...keyRecord(row),
    ...Object.fromEntries(
      Object.entries(key.params).map(([name, value]) => [paramPrefix + name, value]),
    ),
    ...counters,
    checksum: row.checksum,
    computeCyclesPerOp: row.computeCyclesPerOp,
    cost: row.cost,
    ...Object.fromEntries(cycleCategories.map((name) => [cyclesColumn(name), cycles[name]])),
    cycles_total: row.cyclesTotal,
    slowdown: row.slowdown,
    label: row.label,
  };
}

export function walkRecord(row: WalkRow): Record<string, Cell> {
  return { ...keyRecord(row), references: row.references, walks: row.walks };
}

function keyRecord({ key, region }: WalkRow | PointRow): Record<string, Cell> {
  const { params, ...rest } = key;
  return { ...rest, params: JSON.stringify(params), region };
}
