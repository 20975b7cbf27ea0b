/**
 * Which points the experiments need, each run once however many ask for it.
 *
 * An experiment names a point by what it changes of a default; the plan makes full keys of them, numbered in
 * the order of asking, so ids do not depend on who runs what.
 */
import { presets, type PresetName } from "../../machine/presets.ts";
import { catalogue } from "../../bench/points/catalogue.ts";
import { ConfigError, pick } from "../../bench/input/config-error.ts";
import { type LevelPair, levelsOf } from "../../bench/points/levels.ts";
import {
  fullParams,
  paramProblem,
  type ParamSource,
  type ParamValues,
} from "../../bench/points/params.ts";
import type { PointKey } from "../../bench/results/result.ts";
import type { SweepMachine } from "../../bench/sweeps/sweep.ts";
import { type MachineSwitch, switchedName, switchedPreset } from "./machine-switches.ts";

/** A point as experiments name it. */
export interface WhyPoint {
  /** One of the registry, or of `engine-variants.ts`. */
  readonly engine: string;
  readonly workload: string;
  readonly params?: ParamValues;
  readonly preset?: PresetName;
  /** Structures of the preset switched. */
  readonly machine?: readonly MachineSwitch[];
  readonly backing?: PointKey["backing"];
  readonly levels?: LevelPair;
}

export interface Plan {
  readonly points: readonly PointKey[];
  readonly machines: Readonly<Record<string, SweepMachine>>;
}

/** The processor of today that experiments run on unless they say otherwise. */
const usualPreset: PresetName = "skylake-sp";

/** Hugetlbfs and transparent huge pages give small guest pages large host pages. */
const usualBacking = "2m";

const seed = 1;

/** Everything but the id. */
export function keyOf(point: WhyPoint): Omit<PointKey, "id"> {
  const { engine, workload, params = {}, preset = usualPreset, machine = [] } = point;
  const source: ParamSource = pick(catalogue.workloads, workload, "workload");
  for (const [name, value] of Object.entries(params)) {
    const problem = paramProblem(source, name, value);
    if (problem !== undefined) throw new ConfigError(`why: ${workload} ${name}: ${problem}`);
  }
  return {
    engine,
    workload,
    params: fullParams(source, params),
    preset: switchedName(preset, machine),
    backing: point.backing ?? usualBacking,
    ...levelsOf(point.levels ?? "4-on-4"),
    seed,
  };
}

/** Same text, same point. */
export function identity(key: Omit<PointKey, "id">): string {
  const { engine, workload, params, preset, backing, guestLevels, nestedLevels } = key;
  return JSON.stringify([engine, workload, params, preset, backing, guestLevels, nestedLevels]);
}

export function makePlan(wanted: readonly WhyPoint[]): Plan {
  const points = new Map<string, PointKey>();
  const machines: Record<string, SweepMachine> = {};
  for (const point of wanted) {
    const key = keyOf(point);
    const text = identity(key);
    if (points.has(text)) continue;
    points.set(text, { id: points.size, ...key });
    const { preset: like = usualPreset, machine = [] } = point;
    machines[key.preset] = { preset: switchedPreset(presets[like], machine), like };
  }
  return { points: [...points.values()], machines };
}
