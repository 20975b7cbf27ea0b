/**
 * Ground truth on disk: folders with `traces/` and tables of expected counts, or with streams of DMA mappings
 * (`*.jsonl.gz`), alone or in a folder of such folders.
 *
 * A folder may have several tables: beside what was measured here, counts of traces that lie one folder up
 * (`expected-known.csv.gz`), and counts that rest on a manual's text (`by-manual.csv.gz`).
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { ConfigError, quote } from "../../bench/input/config-error.ts";
import { comparedAs } from "./counter-map.ts";
import { type ColdRow, nestedHeader, readNestedRow } from "./nested/expectations.ts";

/** What one trace is expected to count under one kernel and mode. */
export interface Expectation {
  /** Folder and name of the trace, as reported. */
  readonly trace: string;
  readonly file: string;
  readonly kernel: string;
  readonly mode: string;
  readonly rows: readonly ExpectedRow[];
  /** Of a hypervisor in a guest: what its processor could do, and rows with a range; absent for other ground truth. */
  readonly nested?: { readonly variant: string; readonly cold: readonly ColdRow[] };
}

export interface ExpectedRow {
  readonly phase: string;
  /** As `comparedAs` names it. */
  readonly counter: string;
  readonly value: number;
}

const expectedName = "expected.csv.gz";
const streamSuffix = ".jsonl.gz";
/** `expected.csv.gz`, `expected-known.csv.gz`, `by-manual.csv.gz`. What is noisy has another name and is not compared. */
const tableName = /^(?:expected(?:-[a-z]+)?|by-manual)\.csv\.gz$/;
const traceEndings = [".trace.gz", ".trace.zst", ".trace.xz"];
/** Where the traces lie that another folder's tables are about. */
const shipped = new URL("../../results/groundtruth", import.meta.url).pathname;
const header = "trace,kernel,mode,phase,counter,value";

/** Every folder below `root` (itself included) that holds ground truth, in name order. */
export function groundTruthFolders(root: string): string[] {
  if (!existsSync(root) || !statSync(root).isDirectory()) {
    throw new ConfigError(`--dir ${quote(root)}: not a folder`);
  }
  const found = search(root);
  if (found.length === 0) {
    throw new ConfigError(
      `--dir ${quote(root)}: holds no ${expectedName} and no *${streamSuffix}, nor does a folder in it`,
    );
  }
  return found;
}

function search(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  const holds = ({ name }: { readonly name: string }) =>
    tableName.test(name) || name.endsWith(streamSuffix);
  const here = entries.some(holds) ? [folder] : [];
  const below = entries
    .filter((entry) => entry.isDirectory() && entry.name !== "traces")
    .flatMap(({ name }) => search(join(folder, name)));
  return [...here, ...below];
}

/** Names of the streams in one folder, in name order. */
export function streamNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(streamSuffix))
    .toSorted();
}

/** The expectations of one folder, grouped by table, trace, kernel and mode in the order of the files. */
export function readExpectations(folder: string): Expectation[] {
  const tables = readdirSync(folder).filter((name) => tableName.test(name));
  return tables.toSorted().flatMap((table) => readTable(folder, table));
}

function readTable(folder: string, table: string): Expectation[] {
  const file = join(folder, table);
  const lines = decompress(file).split("\n");
  if (lines[0]?.trim() === nestedHeader) return nestedExpectations(folder, file, lines);
  if (lines[0]?.trim() !== header) {
    throw new ConfigError(
      `${file}, line 1: ${quote(lines[0])} is not the header; allowed: ${header}`,
    );
  }
  const groups = new Map<string, { expectation: Expectation; sums: Map<string, ExpectedRow> }>();
  for (const [i, line] of lines.entries()) {
    if (i === 0 || line.trim() === "") continue;
    const [trace, kernel, mode, phase, counter, value] = fields(line, `${file}, line ${i + 1}`);
    const key = `${trace},${kernel},${mode}`;
    let group = groups.get(key);
    if (group === undefined) {
      const path = traceFile(folder, trace);
      group = { expectation: { trace, file: path, kernel, mode, rows: [] }, sums: new Map() };
      groups.set(key, group);
    }
    const name = comparedAs(counter);
    if (name === null) continue;
    const rowKey = `${phase},${name}`;
    const sum = (group.sums.get(rowKey)?.value ?? 0) + value;
    group.sums.set(rowKey, { phase, counter: name, value: sum });
  }
  return [...groups.values()].map(({ expectation, sums }) => ({
    ...expectation,
    rows: [...sums.values()],
  }));
}

function nestedExpectations(folder: string, file: string, lines: readonly string[]) {
  const groups = new Map<string, { rows: ExpectedRow[]; cold: ColdRow[]; of: Expectation }>();
  for (const [i, line] of lines.entries()) {
    if (i === 0 || line.trim() === "") continue;
    const row = readNestedRow(line, `${file}, line ${i + 1}`);
    const { trace, kernel, mode, variant, phase, counter, value, range } = row;
    const key = `${trace},${kernel},${mode},${variant}`;
    let group = groups.get(key);
    if (group === undefined) {
      const path = traceFile(folder, trace);
      const [rows, cold]: [ExpectedRow[], ColdRow[]] = [[], []];
      const nested = { variant, cold };
      group = { rows, cold, of: { trace, file: path, kernel, mode, rows, nested } };
      groups.set(key, group);
    }
    if (range === null) group.rows.push({ phase, counter, value });
    else group.cold.push({ phase, counter, ...range });
  }
  return [...groups.values()].map(({ of }) => of);
}

/** The trace beside its table, one folder up, or among those shipped; where it should be if it is nowhere. */
function traceFile(folder: string, trace: string): string {
  const places = [folder, dirname(folder), shipped].map((place) => join(place, "traces", trace));
  const files = places.flatMap((place) => traceEndings.map((ending) => `${place}${ending}`));
  return files.find((file) => existsSync(file)) ?? join(folder, "traces", `${trace}.trace.gz`);
}

type Fields = readonly [string, string, string, string, string, number];

function fields(line: string, place: string): Fields {
  const [trace, kernel, mode, phase, counter, text, ...rest] = line.trim().split(",");
  const value = Number(text);
  const complete = trace && kernel && mode && phase && counter && text && rest.length === 0;
  if (!complete || !Number.isInteger(value)) {
    throw new ConfigError(
      `${place}: ${quote(line.trim())}; allowed: ${header}, value a whole number`,
    );
  }
  return [trace, kernel, mode, phase, counter, value];
}

function decompress(file: string): string {
  try {
    return gunzipSync(readFileSync(file)).toString("utf8");
  } catch (error) {
    throw new ConfigError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
