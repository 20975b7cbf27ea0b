/**
 * Which points of which sweep: argument and options that `bench`, `shard`, `merge` and `submit` share.
 *
 * A point's id is its place in the whole sweep, so the same words name the same points on every machine.
 */
import { Argument, Option } from "@commander-js/extra-typings";
import { catalogue } from "../../bench/points/catalogue.ts";
import { ConfigError } from "../../bench/input/config-error.ts";
import { fixedCost } from "../../bench/costs/cost-file.ts";
import type { PointKey } from "../../bench/results/result.ts";
import { readSweep, type SweepFile } from "../../bench/sweeps/sweep-files.ts";
import { filterPoints } from "../../bench/sweeps/sweep.ts";
import { enginesFlag } from "./engine-options.ts";
import { nameList, numberList, seedMax } from "./options.ts";

export const sweepArgument = () =>
  new Argument("[sweep]", "a shipped sweep's name (see `list`) or the path of a YAML file").default(
    "default",
  );

export const enginesOption = () => enginesFlag("only these engines, separated by commas");

export const workloadsOption = () =>
  new Option("--workloads <names>", "only these workloads, separated by commas").argParser(
    nameList("--workloads", Object.keys(catalogue.workloads)),
  );

export const seedsOption = () =>
  new Option(
    "--seeds <numbers>",
    "instead of the sweep's seeds, where it repeats a point with several",
  ).argParser(numberList("--seeds", 0, seedMax));

export const checkOption = () =>
  new Option("--check", "check every access against the oracle (about 20 times slower)").default(
    false,
  );

export const costOption = () =>
  new Option("--cost <file>", "price with this cost file instead of each preset's own");

export interface SweepChoice {
  readonly engines?: readonly string[] | undefined;
  readonly workloads?: readonly string[] | undefined;
  readonly seeds?: readonly number[] | undefined;
  readonly cost?: string | undefined;
}

export interface ChosenSweep {
  readonly sweep: SweepFile;
  readonly points: readonly PointKey[];
}

/** Reads the sweep and applies the filters. */
export function chooseSweep(name: string, choice: SweepChoice): ChosenSweep {
  const { engines, workloads, seeds, cost } = choice;
  const sweep = readSweep(name, catalogue, { seeds });
  const points = filterPoints(sweep.sweep.points, { engines, workloads });
  assertPresent(name, "engine", engines, new Set(sweep.sweep.points.map(({ engine }) => engine)));
  assertPresent(
    name,
    "workload",
    workloads,
    new Set(sweep.sweep.points.map(({ workload }) => workload)),
  );
  if (points.length === 0) throw new ConfigError(`sweep ${name}: the filters leave no point`);
  // A cost file that cannot be read is better known before the run than after it.
  if (cost !== undefined) fixedCost(cost);
  return { sweep, points };
}

/** A filter that names what the sweep has not would leave a hole in the table without a word. */
function assertPresent(
  sweep: string,
  what: "engine" | "workload",
  asked: readonly string[] = [],
  present: ReadonlySet<string>,
): void {
  const absent = asked.find((name) => !present.has(name));
  if (absent === undefined) return;
  const names = [...present].join(", ");
  throw new ConfigError(`sweep ${sweep}: has no ${what} ${absent}. It has: ${names}`);
}
