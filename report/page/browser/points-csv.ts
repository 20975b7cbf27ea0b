/**
 * Rows as CSV, with the columns of `points.csv`, for whoever has only the page.
 */
import { counterNames, cycleCategories, type PointRow } from "../../../bench/results/result.ts";

export function pointsCsv(rows: readonly PointRow[]): string {
  const params = [...new Set(rows.flatMap(({ key }) => Object.keys(key.params)))].toSorted();
  const records = rows.map((row) => record(row, params));
  const header = Object.keys(records[0] ?? {});
  return [header, ...records.map((one) => Object.values(one))]
    .map((cells) => `${cells.map(cell).join(",")}\n`)
    .join("");
}

function record(row: PointRow, params: readonly string[]): Record<string, string | number | null> {
  const { id, engine, workload, preset, backing, guestLevels, nestedLevels, seed } = row.key;
  return {
    id,
    engine,
    workload,
    params: JSON.stringify(row.key.params),
    preset,
    backing,
    guestLevels,
    nestedLevels,
    seed,
    region: row.region,
    ...Object.fromEntries(params.map((name) => [`param_${name}`, row.key.params[name] ?? null])),
    ...Object.fromEntries(counterNames.map((name) => [name, row.counters[name]])),
    checksum: row.checksum,
    computeCyclesPerOp: row.computeCyclesPerOp,
    cost: row.cost,
    ...Object.fromEntries(cycleCategories.map((name) => [`cycles_${name}`, row.cycles[name]])),
    cycles_total: row.cyclesTotal,
    slowdown: row.slowdown,
    label: row.label,
  };
}

function cell(value: string | number | null): string {
  const text = value === null ? "" : String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
