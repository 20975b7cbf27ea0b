/**
 * A sweep: a declared file of what to run, and the points that it means.
 *
 * Points are engines x workloads x parameters x presets x levels x backing x seeds, minus exclusions. A
 * point's id is its place in that fixed order, so it does not depend on filters, workers or timing.
 */
import type { Preset } from "../../machine/presets.ts";
import { quote, unknownText } from "../input/config-error.ts";
import { levelsOf } from "../points/levels.ts";
import { levelsProblem, programProblem } from "../points/point-problem.ts";
import { changedPreset } from "../points/machines.ts";
import {
  asMeant,
  fullParams,
  paramProblem,
  type ParamValues,
  sizeProblem,
} from "../points/params.ts";
import type { PointKey } from "../results/result.ts";
import {
  type Catalogue,
  checkNames,
  checkNamesPresent,
  plainEntries,
  type SweepEntry,
  type SweepFile,
  sweepSchema,
} from "../points/sweep-schema.ts";
import { type FieldPath, parseYamlFile, type YamlFile } from "../input/yaml-file.ts";

export interface Sweep {
  readonly title: string;
  /** The file as it was understood, defaults filled in. */
  readonly declared: unknown;
  /** Every machine that the points name. */
  readonly machines: Readonly<Record<string, SweepMachine>>;
  readonly points: readonly PointKey[];
  /** Are there to be devices beside the points, and how large? */
  readonly devices?: "small" | undefined;
}

export interface SweepMachine {
  readonly preset: Preset;
  /** The shipped preset whose costs apply. */
  readonly like: string;
}

export interface SweepOptions {
  /** Seeds that replace every list of more than one seed in the file. */
  readonly seeds?: readonly number[] | undefined;
}

/** Reads a sweep file's text. Throws a `ConfigError` with file, line, field, value and what is allowed. */
export function parseSweep(
  text: string,
  file: string,
  catalogue: Catalogue,
  options: SweepOptions = {},
): Sweep {
  const yaml = parseYamlFile(text, file, sweepSchema, (present) =>
    checkNamesPresent(present, catalogue),
  );
  return sweepOf(yaml, catalogue, options);
}

/** The points of a file whose shape is checked already; it may say more than a sweep does. */
export function sweepOf(
  yaml: YamlFile<SweepFile>,
  catalogue: Catalogue,
  { seeds: replaced }: SweepOptions = {},
): Sweep {
  const { title, exclude, devices } = yaml.value;
  const machines = machinesOf(yaml, catalogue);
  checkNames(yaml, catalogue);
  if (
    replaced !== undefined &&
    !yaml.value.workloads.some((entry) => isRepeated(yaml.value, entry))
  )
    throw yaml.complain(["seeds"], "no point is repeated with several, so --seeds changes nothing");
  const points: PointKey[] = [];
  const seen = new Map<string, number>();
  for (const { index, entry } of plainEntries(yaml.value, catalogue)) {
    const path = ["workloads", index];
    for (const params of entryParams(entry, path, catalogue, yaml)) {
      for (const key of pointsOf(yaml.value, entry, params, replaced)) {
        if (exclude.some((rule) => isExcluded(rule, key))) continue;
        const machine = machines[key.preset];
        const misplaced = machine && catalogue.nodesProblem(key.engine, machine.preset);
        if (misplaced !== undefined) throw yaml.complain(path, `${key.preset}: ${misplaced}`);
        const isRecordedSystem = "system" in (catalogue.workloads[key.workload] ?? {});
        const problem = levelsProblem(key) ?? programProblem(key, { isRecordedSystem });
        if (problem !== undefined) throw yaml.complain(path, problem);
        const text_ = JSON.stringify(key);
        const earlier = seen.get(text_);
        if (earlier !== undefined) throw yaml.complain(path, `repeats point ${earlier}: ${text_}`);
        seen.set(text_, points.length);
        points.push({ id: points.length, ...key });
      }
    }
  }
  if (points.length === 0) throw yaml.complain(["exclude"], "leaves no point to run");
  return { title, declared: yaml.value, machines, points, devices };
}

export interface PointFilter {
  readonly engines?: readonly string[] | undefined;
  readonly workloads?: readonly string[] | undefined;
}

/** The points of a sweep that the filters leave; ids stay those of the whole sweep. */
export function filterPoints(
  points: readonly PointKey[],
  { engines, workloads }: PointFilter,
): readonly PointKey[] {
  return points.filter(
    ({ engine, workload }) =>
      (engines?.includes(engine) ?? true) && (workloads?.includes(workload) ?? true),
  );
}

type Key = Omit<PointKey, "id">;

function isRepeated(sweep: SweepFile, entry: Pick<SweepEntry, "seeds">): boolean {
  return (entry.seeds ?? sweep.seeds).length > 1;
}

function* pointsOf(
  sweep: SweepFile,
  entry: SweepEntry,
  params: ParamValues,
  replaced: readonly number[] | undefined,
): Generator<Key> {
  const used =
    replaced !== undefined && isRepeated(sweep, entry) ? replaced : (entry.seeds ?? sweep.seeds);
  for (const preset of entry.presets ?? sweep.presets) {
    for (const pair of entry.levels ?? sweep.levels) {
      const { guestLevels, nestedLevels } = levelsOf(pair);
      for (const size of entry.backing ?? sweep.backing) {
        for (const seed of used) {
          for (const engine of entry.engines ?? sweep.engines) {
            const { workload } = entry;
            const host = { preset, backing: size, guestLevels, nestedLevels, seed };
            yield { engine, workload, params, ...host };
          }
        }
      }
    }
  }
}

function entryParams(
  entry: SweepEntry,
  path: FieldPath,
  catalogue: Catalogue,
  yaml: YamlFile<SweepFile>,
): ParamValues[] {
  const source = catalogue.workloads[entry.workload];
  if (source === undefined) return [];
  return entry.params.flatMap((grid, index) => {
    let rows: ParamValues[] = [{}];
    for (const [name, values] of Object.entries(grid)) {
      const given = Array.isArray(values) ? values : [values];
      const list = given.map((value) => asMeant(name, value));
      for (const value of list) {
        const problem = paramProblem(source, name, value);
        if (problem !== undefined) throw yaml.complain([...path, "params", index, name], problem);
      }
      rows = rows.flatMap((row) => list.map((value) => ({ ...row, [name]: value })));
    }
    return rows.map((row) => {
      const params = fullParams(source, row);
      const problem = sizeProblem(source, params);
      if (problem !== undefined) throw yaml.complain([...path, "params", index], problem);
      return params;
    });
  });
}

function machinesOf(yaml: YamlFile<SweepFile>, { presets }: Catalogue): Sweep["machines"] {
  const machines: Record<string, SweepMachine> = {};
  for (const [name, preset] of Object.entries(presets)) machines[name] = { preset, like: name };
  for (const [name, change] of Object.entries(yaml.value.machines)) {
    const path = ["machines", name];
    if (Object.hasOwn(presets, name)) throw yaml.complain(path, "is the name of a preset");
    const base = presets[change.like];
    if (base === undefined) {
      const problem = unknownText(change.like, Object.keys(presets));
      throw yaml.complain([...path, "like"], `${quote(change.like)}: ${problem}`);
    }
    const preset = changedPreset(base, name, change);
    if (change.nodes !== undefined && preset.dataCache === null) {
      const needed = "only data caches tell near memory from far: like must be skylake-sp-caches";
      throw yaml.complain([...path, "nodes"], needed);
    }
    machines[name] = { preset, like: change.like };
  }
  return machines;
}

function isExcluded(rule: SweepFile["exclude"][number], key: Key): boolean {
  return (
    (rule.engine === undefined || rule.engine === key.engine) &&
    (rule.workload === undefined || rule.workload === key.workload) &&
    (rule.preset === undefined || rule.preset === key.preset) &&
    (rule.backing === undefined || rule.backing === key.backing)
  );
}
