/**
 * The columns of results as a page and as Frictionless metadata, from the lists that write the files.
 *
 * Frictionless Data Package, version 1: `datapackage.json` beside the tables lets tools read them with types.
 */
import { counterMeanings, cycleMeaning, keyMeanings } from "../bench/results/column-meanings.ts";
import { cyclesColumn, pointColumns, walkColumns } from "../bench/files/result-columns.ts";
import { counterNames, cycleCategories, schemaVersion } from "../bench/results/result.ts";

interface Column {
  readonly name: string;
  readonly type: "integer" | "number" | "string" | "object";
  readonly unit: string;
  readonly description: string;
}

const types: Readonly<Record<string, Column["type"]>> = {
  id: "integer",
  params: "object",
  guestLevels: "integer",
  nestedLevels: "integer",
  seed: "integer",
};

/** Those beside keys, counters and cycles. */
const others: Readonly<Record<string, Omit<Column, "name">>> = {
  checksum: {
    type: "integer",
    unit: "",
    description: "Sum of all translated frames modulo 2^32: equal for the same program and frames",
  },
  computeCyclesPerOp: {
    type: "number",
    unit: "cycles",
    description: "Price of a unit of `computeOps`, from the workload's file",
  },
  cost: { type: "string", unit: "", description: "Cost file that priced the line" },
  cycles_total: { type: "integer", unit: "cycles", description: "Sum of the line's cycles" },
  slowdown: {
    type: "number",
    unit: "x",
    description: "`cycles_total` over that of `native` for the same program, seed and region",
  },
  label: { type: "string", unit: "", description: "What a reader must know beside the numbers" },
  references: { type: "integer", unit: "references", description: "Length of a walk" },
  walks: { type: "integer", unit: "walks", description: "Walks of this length" },
};

/** Throws for a column that nobody describes. */
function describeColumn(name: string): Column {
  const key = keyMeanings[name as keyof typeof keyMeanings] as string | undefined;
  if (key !== undefined) {
    return { name, type: types[name] ?? "string", unit: "", description: key };
  }
  const counter = counterNames.find((one) => one === name);
  if (counter !== undefined) {
    return { name, type: "integer", unit: unitOf(name), description: counterMeanings[counter] };
  }
  const category = cycleCategories.find((one) => cyclesColumn(one) === name);
  if (category !== undefined) {
    return { name, type: "integer", unit: "cycles", description: cycleMeaning(category) };
  }
  const other = others[name];
  if (other === undefined) throw new Error(`data dictionary: nothing is said of column ${name}`);
  return { name, ...other };
}

function unitOf(counter: string): string {
  if (counter.includes("Bytes")) return "bytes";
  return /References|^reference/.test(counter) ? "references" : "count";
}

/** In walks.csv, `walks` is the number of walks of one length, not a counter. */
function walkColumn(name: string): Column {
  const other = others[name];
  return other === undefined ? describeColumn(name) : { name, ...other };
}

export function dataDictionary(): string {
  const table = (columns: readonly Column[]) =>
    [
      "| column | type | unit | meaning |",
      "| --- | --- | --- | --- |",
      ...columns.map(
        ({ name, type, unit, description }) =>
          `| \`${name}\` | ${type} | ${unit} | ${description} |`,
      ),
    ].join("\n");
  return `# Data dictionary

Every column of the tables that \`npx shadewalk bench\` writes (schema version ${schemaVersion}). Made by \`npm run docs:data\`
from the lists that write the files; [datapackage.json](datapackage.json) says the same to programs (Frictionless Data).
Both tables are UTF-8, separated by commas, with a header line.

## points.csv

Two lines per point, one per region. Beside these columns there is one \`param_NAME\` for each parameter that any
program of the sweep has, empty where a program has it not; \`params\` holds the same as JSON.

${table(pointColumns.map(describeColumn))}

## walks.csv

The histogram of walk lengths: a line for each length that occurs in a point and region.

${table(walkColumns.map(walkColumn))}
`;
}

export function dataPackage(): string {
  const resource = (name: string, columns: readonly Column[]) => ({
    name,
    path: `${name}.csv`,
    profile: "tabular-data-resource",
    encoding: "utf-8",
    schema: {
      fields: columns.map(({ unit, ...column }) => (unit === "" ? column : { ...column, unit })),
      missingValues: [""],
    },
  });
  const described = {
    profile: "tabular-data-package",
    name: "shadewalk-results",
    title: "Results of a Shadewalk sweep",
    resources: [
      resource("points", pointColumns.map(describeColumn)),
      resource("walks", walkColumns.map(walkColumn)),
    ],
  };
  return `${JSON.stringify(described, null, 2)}\n`;
}
