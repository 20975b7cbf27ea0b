/**
 * Reads what `result-files.ts` wrote: rows for tables, charts and repricing.
 *
 * The files may come from another person or another version, so every cell is checked; a complaint names
 * file, line, column, value and what is allowed.
 */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { parse } from "csv-parse";
import { z } from "zod";
import { ConfigError, quote } from "./config-error.ts";
import { type CostChooser, reprice } from "./price-rows.ts";
import { cyclesColumn, paramPrefix, pointColumns, walkColumns } from "./result-columns.ts";
import {
  counterNames,
  cycleCategories,
  type PointKey,
  type PointRow,
  regions,
  type ResultRows,
  type WalkRow,
} from "./result.ts";

/** Both tables of a results folder. */
export async function readResults(folder: string): Promise<ResultRows> {
  return {
    points: await readPoints(join(folder, "points.csv")),
    walks: await readWalks(join(folder, "walks.csv")),
  };
}

/** Prices the counters of a points file anew, without any run. */
export async function priceFile(path: string, costFor: CostChooser): Promise<PointRow[]> {
  return reprice(await readPoints(path), costFor);
}

export function readPoints(path: string): Promise<PointRow[]> {
  return readRows(path, pointColumns, (cells) => ({
    ...keyOf(cells),
    label: cells.text("label"),
    checksum: cells.count("checksum"),
    computeCyclesPerOp: cells.number("computeCyclesPerOp"),
    cost: cells.text("cost"),
    counters: cells.counts(counterNames, (name) => name),
    cycles: cells.counts(cycleCategories, cyclesColumn),
    cyclesTotal: cells.count("cycles_total"),
    slowdown: cells.text("slowdown") === "" ? null : cells.number("slowdown"),
  }));
}

function readWalks(path: string): Promise<WalkRow[]> {
  return readRows(path, walkColumns, (cells) => ({
    ...keyOf(cells),
    references: cells.count("references"),
    walks: cells.count("walks"),
  }));
}

/** The cells of one line, each read as what its column holds. */
interface Cells {
  text(column: string): string;
  number(column: string): number;
  count(column: string): number;
  oneOf<T extends string>(column: string, allowed: readonly T[]): T;
  counts<N extends string>(
    names: readonly N[],
    columnOf: (name: N) => string,
  ): Readonly<Record<N, number>>;
  params(): PointKey["params"];
}

function keyOf(cells: Cells): Pick<PointRow, "key" | "region"> {
  const key: PointKey = {
    id: cells.count("id"),
    engine: cells.text("engine"),
    workload: cells.text("workload"),
    params: cells.params(),
    preset: cells.text("preset"),
    backing: cells.oneOf("backing", ["4k", "2m"]),
    guestLevels: cells.oneOf("guestLevels", ["4", "5"]) === "4" ? 4 : 5,
    nestedLevels: cells.oneOf("nestedLevels", ["4", "5"]) === "4" ? 4 : 5,
    seed: cells.count("seed"),
  };
  return { key, region: cells.oneOf("region", regions) };
}

interface ParsedLine {
  readonly record: Readonly<Record<string, string>>;
  readonly info: { readonly lines: number };
}

async function readRows<R>(
  path: string,
  columns: readonly string[],
  convert: (cells: Cells) => R,
): Promise<R[]> {
  const rows: R[] = [];
  const header = (names: string[]) => checkHeader(path, names, columns);
  try {
    await pipeline(
      createReadStream(path),
      parse({ columns: header, info: true }),
      async (lines: AsyncIterable<ParsedLine>) => {
        for await (const { record, info } of lines) {
          rows.push(convert(cellsOf(`${path}:${info.lines}`, record)));
        }
      },
    );
  } catch (error) {
    // A broken quote or a short line; the parser's message names the line.
    if (error instanceof Error && "code" in error && String(error.code).startsWith("CSV_")) {
      throw new ConfigError(`${path}: ${error.message}`);
    }
    throw error;
  }
  if (rows.length === 0) throw new ConfigError(`${path}:1: no lines of results`);
  return rows;
}

function checkHeader(path: string, header: string[], columns: readonly string[]): string[] {
  const missing = columns.find((column) => !header.includes(column));
  if (missing !== undefined) throw new ConfigError(`${path}:1: column ${missing} is missing`);
  const unknown = header.find(
    (column) => !columns.includes(column) && !column.startsWith(paramPrefix),
  );
  if (unknown === undefined) return header;
  throw new ConfigError(`${path}:1: column ${quote(unknown)}: unknown to this version`);
}

const paramsSchema = z.record(z.string(), z.union([z.number(), z.string()]));

function cellsOf(place: string, record: Readonly<Record<string, string>>): Cells {
  const complain = (column: string, allowed: string) =>
    new ConfigError(`${place}: ${column}: ${quote(record[column])}: must be ${allowed}`);
  const text = (column: string) => record[column] ?? "";
  const number = (column: string) => {
    const value = text(column).trim() === "" ? Number.NaN : Number(text(column));
    if (Number.isFinite(value) && value >= 0) return value;
    throw complain(column, "a number, 0 or more");
  };
  const count = (column: string) => {
    const value = number(column);
    if (Number.isSafeInteger(value)) return value;
    throw complain(column, "a whole number up to 2^53");
  };
  return {
    text,
    number,
    count,
    oneOf: (column, allowed) => {
      const found = allowed.find((word) => word === text(column));
      if (found === undefined) throw complain(column, `one of ${allowed.join(", ")}`);
      return found;
    },
    counts: <N extends string>(names: readonly N[], columnOf: (name: N) => string) =>
      Object.fromEntries(names.map((name) => [name, count(columnOf(name))])) as Record<N, number>,
    params: () => {
      const parsed = paramsSchema.safeParse(parseJson(text("params")));
      if (parsed.success) return parsed.data;
      throw complain("params", "a JSON object of numbers and words");
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
