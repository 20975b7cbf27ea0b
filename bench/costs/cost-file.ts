/**
 * Reads a cost file: YAML with a source for every number, checked before anything is priced.
 *
 * A source is a formula over published rows (see `cost-formula.ts`), and then the number must follow from it;
 * or `assumed` or `measured`, and then a reason must stand beside it.
 */
import { existsSync } from "node:fs";
import { basename, extname } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { ConfigError, unknownName } from "../input/config-error.ts";
import { evaluate, type PublishedRow, readPublishedRows } from "./cost-formula.ts";
import { type CostModel, events, exitPrices, sections, walkPrices } from "./cost.ts";
import type { CostChooser } from "./price-rows.ts";
import { exitCauses } from "../results/result.ts";
import { readTextFile } from "../input/text-file.ts";
import { type FieldPath, parseYamlFile } from "../input/yaml-file.ts";

/** Shipped cost files by processor generation, oldest first. */
export const costPresets = [
  "p4-vtx",
  "core2",
  "nehalem",
  "skylake-sp",
  "cascade-lake",
  "zen2",
] as const;
/** Prices the machine presets that have no cost file of their name, such as `textbook`. */
export const defaultCostPreset: (typeof costPresets)[number] = "skylake-sp";

const priceSchema = z.strictObject({
  cycles: z.number("must be a number of cycles, 0 or more").min(0, "must be 0 or more"),
  source: z.string().min(1),
  reason: z.string().min(1).optional(),
});

export type Price = z.infer<typeof priceSchema>;

const table = (names: readonly string[]) =>
  z.strictObject(Object.fromEntries(names.map((name) => [name, priceSchema])));

const costSchema = z.strictObject({
  title: z.string().min(1),
  ...Object.fromEntries(sections.map((section) => [section, table(Object.keys(events[section]))])),
  walk: table(walkPrices),
  exits: z.strictObject(Object.fromEntries(exitCauses.map((cause) => [cause, table(exitPrices)]))),
});

/** A cost file by name (see `costPresets`) or path. */
export function readCost(nameOrPath: string): CostModel {
  const { text, name } = costText(nameOrPath);
  return parseCost(text, name);
}

/** The text of a cost file and the path that complaints name. */
export function costText(nameOrPath: string): { readonly name: string; readonly text: string } {
  const isPreset = (costPresets as readonly string[]).includes(nameOrPath);
  const name = isPreset ? presetPath(nameOrPath) : nameOrPath;
  if (!existsSync(name)) throw unknownName("cost file", nameOrPath, costPresets);
  return { name, text: readTextFile("cost file", name) };
}

export function presetPath(name: string): string {
  return fileURLToPath(new URL(`./${name}.yaml`, import.meta.url));
}

/** Each machine preset priced by the cost file of its name. */
export function presetCosts(): CostChooser {
  const read = new Map<string, CostModel>();
  return (preset) => {
    const name = costPresets.find((known) => known === preset) ?? defaultCostPreset;
    const cost = read.get(name) ?? readCost(name);
    read.set(name, cost);
    return cost;
  };
}

/** One cost file for every machine preset, as `--cost FILE` asks for. */
export function fixedCost(nameOrPath: string): CostChooser {
  const cost = readCost(nameOrPath);
  return () => cost;
}

export function parseCost(text: string, file: string): CostModel {
  const yaml = parseYamlFile(text, file, costSchema);
  const rows = readPublishedRows();
  const cycles = (node: unknown, path: FieldPath): unknown => {
    const parsed = priceSchema.safeParse(node);
    if (!parsed.success) return mapFields(node, (field, name) => cycles(field, [...path, name]));
    const problem = sourceProblem(parsed.data, rows);
    if (problem !== undefined) throw yaml.complain([...path, problem.field], problem.text);
    return parsed.data.cycles;
  };
  const { title, walk, exits, ...rest } = yaml.value;
  // The schema derives from the lists that the type derives from, which TypeScript cannot follow.
  return {
    name: basename(file, extname(file)),
    title,
    walk: cycles(walk, ["walk"]),
    exits: cycles(exits, ["exits"]),
    events: cycles(rest, []),
  } as CostModel;
}

function mapFields(
  node: unknown,
  convert: (field: unknown, name: string) => unknown,
): Record<string, unknown> {
  if (typeof node !== "object" || node === null) throw new ConfigError("cost: not a price");
  return Object.fromEntries(
    Object.entries(node).map(([name, field]) => [name, convert(field, name)]),
  );
}

interface SourceProblem {
  readonly field: "source" | "cycles";
  readonly text: string;
}

function sourceProblem(
  { cycles, source, reason }: Price,
  rows: ReadonlyMap<string, PublishedRow>,
): SourceProblem | undefined {
  if (source === "assumed" || source === "measured") {
    const text = `${source}: a reason must stand beside it`;
    return reason === undefined ? { field: "source", text } : undefined;
  }
  const value = evaluate(source, rows);
  const allowed = 'allowed: "assumed", "measured", or a formula over published-rows.csv';
  if (typeof value !== "number") return { field: "source", text: `${value.problem}; ${allowed}` };
  // A file may round to whole cycles.
  if (Math.abs(value - cycles) <= 0.5) return undefined;
  return { field: "cycles", text: `${cycles}: its source says ${source} = ${value}` };
}
