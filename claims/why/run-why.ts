/**
 * Runs the experiments: all their points in one sweep on worker threads, then each reads what it asked for.
 */
import { describeWorkloads, isRecorded } from "../../bench/points/catalogue.ts";
import { EnvironmentError, Interrupted } from "../../bench/input/config-error.ts";
import { costPresets, presetCosts, presetPath } from "../../bench/costs/cost-file.ts";
import { startingOrder } from "../../bench/sweeps/starting-order.ts";
import { type Finished, runPoints } from "../../bench/sweeps/pool.ts";
import type { CostChooser } from "../../bench/costs/price-rows.ts";
import { hashFile, writeResults } from "../../bench/files/result-files.ts";
import type { ResultRows } from "../../bench/results/result.ts";
import type { Finding } from "../../bench/results/answer.ts";
import type { Experiment } from "./experiment.ts";
import { findingsOf } from "./findings.ts";
import { makePlan, type Plan } from "./plan.ts";

export interface WhyOptions {
  readonly experiments: Readonly<Record<string, Experiment>>;
  /** Folder for points.csv, walks.csv and manifest.json. */
  readonly out: string;
  readonly workers: number;
  readonly signal: AbortSignal;
  onFinished(finished: Finished): void;
}

export interface NamedFinding extends Finding {
  readonly name: string;
  readonly title: string;
}

export interface Why {
  readonly findings: readonly NamedFinding[];
  readonly rows: ResultRows;
}

/** Every point that these experiments need. */
export function planOf(chosen: WhyOptions["experiments"]): Plan {
  return makePlan(Object.values(chosen).flatMap(({ points }) => points));
}

/** Throws when a point fails: an argument with holes is none. */
export async function runWhy(options: WhyOptions): Promise<Why> {
  const named = Object.entries(options.experiments);
  const plan = planOf(options.experiments);
  const finished = await runPlan(plan, options);
  const costFor = costsOf(plan);
  const rows = await writeResults({
    folder: options.out,
    results: finished.map(({ result }) => result),
    costFor,
    manifest: {
      config: {
        experiments: named.map(([name]) => name),
        presets: Object.fromEntries(
          Object.entries(plan.machines).map(([name, { preset }]) => [name, preset]),
        ),
      },
      seeds: [...new Set(plan.points.map(({ seed }) => seed))],
      inputs: await Promise.all([
        ...costPresets.map((name) => hashFile(`cost ${name}`, presetPath(name))),
        ...recordedFiles(plan).map(([name, file]) => hashFile(name, file)),
      ]),
    },
  });
  const findings = findingsOf(rows, costFor);
  return {
    rows,
    findings: named.map(([name, { title, read }]) => ({ name, title, ...read(findings) })),
  };
}

async function runPlan({ points, machines }: Plan, options: WhyOptions): Promise<Finished[]> {
  const finished: Finished[] = [];
  const failures: string[] = [];
  await runPoints(startingOrder(points), {
    machines,
    workers: options.workers,
    check: false,
    signal: options.signal,
    task: new URL("./why-worker.ts", import.meta.url),
    onFinished(one) {
      finished.push(one);
      options.onFinished(one);
    },
    onFailed: (message) => failures.push(message),
  });
  const [failure] = failures.toSorted();
  if (failure !== undefined) throw new EnvironmentError(`why: ${failure}`);
  if (finished.length < points.length) throw new Interrupted("why: interrupted");
  return finished;
}

/** A changed machine is priced as the preset that it was made from. */
function costsOf({ machines }: Plan): CostChooser {
  const costFor = presetCosts();
  return (preset) => costFor(machines[preset]?.like ?? preset);
}

/** The traces among the programs. */
function recordedFiles({ points }: Plan): (readonly [name: string, file: string])[] {
  const used = new Set(points.map(({ workload }) => workload));
  return describeWorkloads().flatMap(([name, workload]) =>
    used.has(name) && isRecorded(workload) ? [[name, workload.file] as const] : [],
  );
}
