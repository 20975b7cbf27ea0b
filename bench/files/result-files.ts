/**
 * Writes a finished run: `points.csv`, `walks.csv`, `manifest.json`, and their checksums.
 *
 * Everything is written under temporary names and renamed at the end, so a folder holds a whole result or
 * the previous one. Same rows, same bytes: no host fact gets in here (those live in `host.json`).
 */
import { createWriteStream, statSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type CastingContext, stringify } from "csv-stringify";
import { assert } from "../../machine/assert.ts";
import { checksumsName, checksumsText, readChecksums, sha256 } from "./checksums.ts";
import { makeFolder } from "./make-folder.ts";
import { type CostChooser, resultRows } from "../costs/price-rows.ts";
import {
  type Cell,
  paramColumns,
  pointColumns,
  pointRecord,
  walkColumns,
  walkRecord,
} from "./result-columns.ts";
import {
  counterNames,
  type PointResult,
  type PointRow,
  type ResultRows,
  schemaVersion,
} from "../results/result.ts";

/** What went in: everything that decides the bytes that come out. */
export interface Manifest {
  /** The sweep as it was run, defaults filled in. */
  readonly config: unknown;
  readonly seeds: readonly number[];
  /** Files that the run read (sweep, traces, cost files): name and SHA-256. */
  readonly inputs: readonly InputHash[];
}

export interface InputHash {
  readonly name: string;
  readonly sha256: string;
}

export interface ResultsToWrite {
  readonly folder: string;
  readonly results: readonly PointResult[];
  readonly costFor: CostChooser;
  readonly manifest: Manifest;
}

/** Prices and writes a run; returns its rows for tables and charts. */
export async function writeResults(options: ResultsToWrite): Promise<ResultRows> {
  const { folder, results, costFor, manifest } = options;
  const rows = resultRows(results, costFor);
  const about = {
    schemaVersion,
    points: results.length,
    costs: [...new Set(rows.points.map(({ cost }) => cost))].toSorted(),
    ...manifest,
  };
  makeFolder(folder);
  const files = {
    "points.csv": (path: string) => writePoints(path, rows.points),
    "walks.csv": (path: string) => writeCsv(path, walkColumns, rows.walks.map(walkRecord)),
    "manifest.json": (path: string) => writeFile(path, `${JSON.stringify(about, null, 2)}\n`),
  };
  await replaceFiles(folder, files, { sums: "all" });
  return rows;
}

/** Writes only a points file, as repricing does. */
export async function writePointsFile(
  folder: string,
  name: string,
  rows: readonly PointRow[],
): Promise<void> {
  makeFolder(folder);
  await replaceFiles(folder, { [name]: (path) => writePoints(path, rows) });
}

export async function hashFile(name: string, path: string): Promise<InputHash> {
  return { name, sha256: sha256(await readFile(path)) };
}

function writePoints(path: string, rows: readonly PointRow[]): Promise<void> {
  const keys = pointColumns.indexOf(counterNames[0]);
  const columns = [
    ...pointColumns.slice(0, keys),
    ...paramColumns(rows),
    ...pointColumns.slice(keys),
  ];
  return writeCsv(path, columns, rows.map(pointRecord));
}

async function writeCsv(
  path: string,
  columns: readonly string[],
  records: Iterable<Readonly<Record<string, Cell>>>,
): Promise<void> {
  const cast = { boolean: String, number: numberText };
  const lines = stringify({ header: true, columns: [...columns], cast });
  await pipeline(Readable.from(records), lines, createWriteStream(path, { flush: true }));
}

function numberText(value: number, { column }: CastingContext): string {
  // csv-stringify would write the word NaN, which every reader takes for text.
  assert(Number.isFinite(value), `column ${column}: ${value} is not a number for a file`);
  return String(value);
}

type FileWriter = (path: string) => Promise<void>;

/**
 * All files under temporary names first, then all renames: a failure leaves the old files alone. What is no file
 * but a device or a pipe cannot be replaced and is written as it is. Checksums that the folder keeps of these files
 * are kept up; `sums: "all"` begins to keep them.
 */
export async function replaceFiles(
  folder: string,
  files: Readonly<Record<string, FileWriter>>,
  { sums = "known" }: { readonly sums?: "known" | "all" } = {},
): Promise<void> {
  const names = Object.keys(files);
  const known = readChecksums(folder);
  const summed = names.filter((name) => sums === "all" || known.has(name));
  const isDevice = (name: string) => {
    const facts = statSync(join(folder, name), { throwIfNoEntry: false });
    return facts !== undefined && !facts.isFile() && !facts.isDirectory();
  };
  // With the process's number: two that write one file must not rename each other's half.
  const temporary = (name: string) =>
    isDevice(name) ? join(folder, name) : join(folder, `.${name}.${process.pid}.partial`);
  const replaced = names.filter((name) => !isDevice(name));
  if (summed.length > 0) replaced.push(checksumsName);
  try {
    for (const [name, write] of Object.entries(files)) await write(temporary(name));
    if (summed.length > 0) {
      for (const name of summed) known.set(name, sha256(await readFile(temporary(name))));
      await writeFile(temporary(checksumsName), checksumsText(known));
    }
    for (const name of replaced) await rename(temporary(name), join(folder, name));
  } finally {
    for (const name of replaced) await rm(temporary(name), { force: true });
  }
}
