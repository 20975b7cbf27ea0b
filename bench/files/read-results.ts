/**
 * Reads what `result-files.ts` wrote: rows for tables, charts and repricing.
 *
 * The files may come from another person or another version, so every cell is checked; a complaint names
 * file, line, column, value and what is allowed.
 */
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { parse } from "csv-parse";
import { z } from "zod";
import { hostPageSizes, type PagingLevels } from "../../machine/address.ts";
import { assertUnchanged } from "./checksums.ts";
import { ConfigError, quote } from "../input/config-error.ts";
import { totalCycles } from "../costs/cost.ts";
import { cyclesColumn, paramPrefix, pointColumns, walkColumns } from "./result-columns.ts";
import {
  counterNames,
  cycleCategories,
  type PointKey,
  type PointRow,
  regions,
  type ResultRows,
  type WalkRow,
} from "../results/result.ts";
import { unreadable } from "../input/text-file.ts";

/** Both tables of a results folder. Throws a `ConfigError` if they do not belong together. */
export async function readResults(folder: string): Promise<ResultRows> {
  const path = join(folder, "walks.csv");
  const points = await readPoints(join(folder, "points.csv"));
  const walks = await readWalks(path);
  const known = new Set(points.map(({ key }) => JSON.stringify(key)));
  const stranger = walks.find(({ key }) => !known.has(JSON.stringify(key)));
  if (stranger === undefined) return { points, walks };
  throw new ConfigError(`${path}: id: ${stranger.key.id}: no such point in points.csv beside it`);
}

/** A text that a command wrote, such as an answer. Throws a `ConfigError` if it was changed since. */
export function readText(path: string): string {
  assertUnchanged(path);
  return readFileSync(path, "utf8");
}

/** A JSON object that a command wrote, such as a manifest or a chart. Throws a `ConfigError` if it is none. */
export function readJsonObject(path: string): Readonly<Record<string, unknown>> {
  const parsed = z.record(z.string(), z.unknown()).safeParse(parseJson(readText(path)));
  if (parsed.success) return parsed.data;
  throw new ConfigError(`${path}: is no JSON object: make it anew`);
}

export async function readPoints(path: string): Promise<PointRow[]> {
  const read = await readRows(path, pointColumns, pointOf);
  const linesOf = Map.groupBy(read, ({ key }) => key.id);
  for (const [id, lines] of linesOf) {
    const missing = regions.find((region) => !lines.some((row) => row.region === region));
    if (missing === undefined) continue;
    throw new ConfigError(`${path}: id: ${id}: has no line of region ${missing}`);
  }
  // Last: a complaint about a line says more.
  assertUnchanged(path);
  return read;
}

function pointOf(cells: Cells): PointRow {
  const row = {
    ...keyOf(cells),
    label: cells.text("label"),
    checksum: cells.count("checksum"),
    computeCyclesPerOp: cells.number("computeCyclesPerOp"),
    cost: cells.text("cost"),
    counters: cells.counts(counterNames, (name) => name),
    cycles: cells.counts(cycleCategories, cyclesColumn),
    cyclesTotal: cells.count("cycles_total"),
    slowdown: cells.text("slowdown") === "" ? null : cells.number("slowdown"),
  };
  const sum = totalCycles(row.cycles);
  if (row.cyclesTotal === sum) return row;
  throw cells.complain("cycles_total", `the sum of the line's cycles, ${sum}`);
}

async function readWalks(path: string): Promise<WalkRow[]> {
  const read = await readRows(path, walkColumns, (cells) => ({
    ...keyOf(cells),
    references: cells.count("references"),
    walks: cells.count("walks"),
  }));
  assertUnchanged(path);
  return read;
}

/** The cells of one line, each read as what its column holds. */
interface Cells {
  complain(column: string, allowed: string): ConfigError;
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
    backing: cells.oneOf("backing", hostPageSizes),
    guestLevels: levelsIn(cells, "guestLevels"),
    nestedLevels: levelsIn(cells, "nestedLevels"),
    seed: cells.count("seed"),
  };
  return { key, region: cells.oneOf("region", regions) };
}

const depths = { "3": 3, "4": 4, "5": 5 } as const satisfies Record<
  `${PagingLevels}`,
  PagingLevels
>;

function levelsIn(cells: Cells, column: string): PagingLevels {
  return depths[cells.oneOf(column, Object.keys(depths) as (keyof typeof depths)[])];
}

interface ParsedLine {
  readonly record: Readonly<Record<string, string>>;
  readonly info: { readonly lines: number };
}

async function readRows<R extends PointRow | WalkRow>(
  path: string,
  columns: readonly string[],
  convert: (cells: Cells) => R,
): Promise<R[]> {
  const rows: R[] = [];
  const lineOf = new Map<string, number>();
  const header = (names: string[]) => checkHeader(path, names, columns);
  try {
    await pipeline(
      createReadStream(path),
      parse({ columns: header, info: true }),
      async (lines: AsyncIterable<ParsedLine>) => {
        for await (const { record, info } of lines) {
          const row = convert(cellsOf(`${path}:${info.lines}`, record));
          const name = nameOf(row);
          const earlier = lineOf.get(name);
          if (earlier !== undefined) {
            throw new ConfigError(`${path}:${info.lines}: ${name}: again, after line ${earlier}`);
          }
          lineOf.set(name, info.lines);
          rows.push(row);
        }
      },
    );
  } catch (error) {
    // A broken quote or a short line; the parser's message names the line.
    if (error instanceof Error && "code" in error && String(error.code).startsWith("CSV_")) {
      throw new ConfigError(`${path}: ${error.message}`);
    }
    throw unreadable("points", path, error);
  }
  if (rows.length === 0) throw new ConfigError(`${path}:1: no lines of results`);
  return rows;
}

/** What may stand in a table once. */
function nameOf(row: PointRow | WalkRow): string {
  const place = `id ${row.key.id}, region ${row.region}`;
  return "references" in row ? `${place}, references ${row.references}` : place;
}

function checkHeader(path: string, header: string[], columns: readonly string[]): string[] {
  const missing = columns.find((column) => !header.includes(column));
  if (missing !== undefined) throw new ConfigError(`${path}:1: column ${missing} is missing`);
  const double = header.find((column, index) => header.indexOf(column) !== index);
  if (double !== undefined)
    throw new ConfigError(`${path}:1: column ${quote(double)}: is there twice`);
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
    // As we write them: `Number` alone would take "", " 1" and "0x10".
    const isNumber = /^[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?$/.test(text(column));
    const value = isNumber ? Number(text(column)) : Number.NaN;
    if (Number.isFinite(value)) return value;
    throw complain(column, "a number, 0 or more");
  };
  const count = (column: string) => {
    const value = number(column);
    if (Number.isSafeInteger(value)) return value;
    throw complain(column, "a whole number up to 2^53");
  };
  return {
    complain,
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
