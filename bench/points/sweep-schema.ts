/**
 * What a sweep file may say, and whether the names in it exist.
 */
import { z } from "zod";
import { pageSizeWord } from "../input/page-size.ts";
import { hostPageSizes } from "../../machine/address.ts";
import type { Preset } from "../../machine/presets.ts";
import { quote, unknownText } from "../input/config-error.ts";
import { anyLevelPairs } from "./levels.ts";
import { machineSchema } from "./machines.ts";
import type { ParamSource } from "./params.ts";
import type { FieldPath, YamlFile } from "../input/yaml-file.ts";

/** The names that a sweep may use: what the registries hold. */
export interface Catalogue {
  readonly engines: Readonly<Record<string, unknown>>;
  /** What is wrong with the name of an engine that is made of others. */
  readonly engineProblem: (name: string) => string | undefined;
  /** What keeps an engine from running on a machine's nodes. */
  readonly nodesProblem: (engine: string, preset: Preset) => string | undefined;
  readonly presets: Readonly<Record<string, Preset>>;
  readonly workloads: Readonly<Record<string, ParamSource>>;
}

/**
 * Stands for every workload that no block names, or every engine that the common list leaves out: so what
 * the registries gain is run without a change of the sweep.
 */
const others = "others";

const seedMax = 2 ** 31 - 1;
const names = z.array(z.string()).min(1, "must name at least one");
const seeds = z.array(z.int().min(0).max(seedMax)).min(1, "must hold at least one");
const hostPages = z.preprocess(
  (value) => (typeof value === "string" ? pageSizeWord(value) : value),
  z.enum(hostPageSizes),
);
const backing = z.array(hostPages).min(1);
const levels = z.array(z.enum(anyLevelPairs)).min(1);
// NaN and infinities come through on purpose: the check against the workload names them better.
const paramValue = z.union([z.string(), z.number(), z.nan(), z.literal([Infinity, -Infinity])], {
  error: "must be a number, a word, or a list of them",
});
const paramGrid = z.record(z.string(), z.union([paramValue, z.array(paramValue).min(1)]));

export const sweepSchema = z.strictObject({
  title: z.string().min(1),
  /** Machines of the sweep's own; `presets` may name them. */
  machines: z.record(z.string(), machineSchema).default({}),
  engines: names,
  presets: names,
  seeds,
  backing: backing.default(["4k"]),
  levels: levels.default(["4-on-4"]),
  workloads: z
    .array(
      z.strictObject({
        /** One program, or several that are run alike. */
        workload: z.union([z.string(), names], { error: "must be a name or a list of names" }),
        /** Each grid is crossed by itself; the grids are added up. */
        params: z.array(paramGrid).min(1).default([{}]),
        engines: names.optional(),
        presets: names.optional(),
        seeds: seeds.optional(),
        backing: backing.optional(),
        levels: levels.optional(),
      }),
    )
    .min(1, "must hold at least one workload"),
  exclude: z
    .array(
      z.strictObject({
        engine: z.string().optional(),
        workload: z.string().optional(),
        preset: z.string().optional(),
        backing: hostPages.optional(),
      }),
    )
    .default([]),
  /** Devices beside the points, at this size: whoever publishes all points of the sweep runs them too. */
  devices: z.literal("small").optional(),
});

export type SweepFile = z.infer<typeof sweepSchema>;
/** A block of the file for one of its programs. */
export type SweepEntry = Omit<SweepFile["workloads"][number], "workload"> & {
  readonly workload: string;
};

function workloadsOf({ workload }: SweepFile["workloads"][number]): readonly string[] {
  return typeof workload === "string" ? [workload] : workload;
}

/**
 * For a file that lacks fields: complains about a name in the others that does not exist. So a slip of the pen is
 * named before what was never written.
 */
export function checkNamesPresent(yaml: YamlFile<unknown>, catalogue: Catalogue): void {
  const present = sweepSchema.partial().loose().safeParse(yaml.value);
  if (!present.success) return;
  const { engines = [], presets = [], workloads = [], exclude = [], machines = {} } = present.data;
  const named = { title: "", seeds: [], backing: [], levels: [], engines, presets, workloads };
  checkNames(
    {
      value: { ...named, exclude, machines },
      complain: (path, problem) => yaml.complain(path, problem),
    },
    catalogue,
  );
}

/** Complains about the first name that does not exist. */
export function checkNames(yaml: YamlFile<SweepFile>, catalogue: Catalogue): void {
  const { engines, presets, workloads, exclude, machines } = yaml.value;
  const presetNames = [...Object.keys(catalogue.presets), ...Object.keys(machines)];
  const engineNames = Object.keys(catalogue.engines);
  const workloadNames = Object.keys(catalogue.workloads);
  const entryEngines = [...engineNames, others];
  const check = (path: FieldPath, name: string | undefined, allowed: readonly string[]) => {
    if (name === undefined || allowed.includes(name)) return;
    throw yaml.complain(path, `${quote(name)}: ${unknownText(name, allowed)}`);
  };
  const checkAll = (path: FieldPath, list: readonly string[], allowed: readonly string[]) => {
    for (const [index, name] of list.entries()) check([...path, index], name, allowed);
  };
  const checkEngines = (path: FieldPath, list: readonly string[], simple: readonly string[]) => {
    for (const [index, name] of list.entries()) {
      const problem = catalogue.engineProblem(name);
      if (problem === undefined || simple.includes(name)) continue;
      if (!name.includes("@")) check([...path, index], name, simple);
      throw yaml.complain([...path, index], `${quote(name)}: ${problem}`);
    }
  };
  checkEngines(["engines"], engines, engineNames);
  checkAll(["presets"], presets, presetNames);
  for (const [index, entry] of workloads.entries()) {
    const path = ["workloads", index];
    for (const name of workloadsOf(entry)) {
      check([...path, "workload"], name, [...workloadNames, others]);
    }
    checkEngines([...path, "engines"], entry.engines ?? [], entryEngines);
    checkAll([...path, "presets"], entry.presets ?? [], presetNames);
  }
  for (const [index, rule] of exclude.entries()) {
    const path = ["exclude", index];
    check([...path, "engine"], rule.engine, [...engineNames, ...engines]);
    check([...path, "workload"], rule.workload, workloadNames);
    check([...path, "preset"], rule.preset, presetNames);
  }
}

/** The blocks of a sweep with `others` spelled out; `index` is the block's place in the file. */
export function plainEntries(
  sweep: SweepFile,
  catalogue: Catalogue,
): { readonly index: number; readonly entry: SweepEntry }[] {
  const named = new Set(sweep.workloads.flatMap(workloadsOf));
  const rest = Object.keys(catalogue.workloads).filter((name) => !named.has(name));
  const restEngines = Object.keys(catalogue.engines).filter(
    (name) => !sweep.engines.includes(name),
  );
  return sweep.workloads.flatMap((entry, index) => {
    const engines = (entry.engines ?? sweep.engines).flatMap((name) =>
      name === others ? restEngines : [name],
    );
    const workloads = workloadsOf(entry).flatMap((name) => (name === others ? rest : [name]));
    return workloads.map((workload) => ({ index, entry: { ...entry, workload, engines } }));
  });
}
