/**
 * Validation: every trace of a ground-truth folder through the engines, every value compared.
 *
 * A trace depends on nothing but itself, so traces run on worker threads in any order; results are put back
 * in the order of the files.
 */
import { basename, join, relative } from "node:path";
import { Piscina } from "piscina";
import { codeUrl } from "../../bench/code-url.ts";
import { EnvironmentError, errorLine } from "../../bench/input/config-error.ts";
import type { ColdCounts, Difference } from "./compare.ts";
import {
  type Expectation,
  groundTruthFolders,
  readExpectations,
  streamNames,
} from "./ground-truth.ts";
import type { TraceComparison, ValidateOutcome, ValidateTask } from "./validate-worker.ts";

export interface ValidateOptions {
  readonly workers: number;
  /** Called after each trace. */
  readonly onTrace: (done: number, total: number) => void;
}

export interface Validation {
  readonly traces: number;
  readonly compared: number;
  readonly differences: readonly PlacedDifference[];
  /** Rows that depend on more than the trace, by mode: where our values lie in what was measured. */
  readonly cold: readonly ColdMode[];
  /** What was not compared and why, one line each. */
  readonly notes: readonly string[];
}

export interface ColdMode extends ColdCounts {
  /** Levels, kernel and variant. */
  readonly mode: string;
}

/** A difference and where it is: trace (with its folder), kernel and mode. */
export interface PlacedDifference extends Difference {
  readonly trace: string;
  readonly kernel: string;
  readonly mode: string;
}

const worker = new URL("./validate-worker.ts", import.meta.url);

/** Compares everything below `root`. Throws a `ConfigError` for a folder that is no ground truth. */
export async function validate(root: string, options: ValidateOptions): Promise<Validation> {
  const tasks = groundTruthFolders(root).flatMap((folder) => tasksOf(folder, root));
  const outcomes = await runAll(tasks, options);
  return summary(tasks.length, outcomes);
}

/** The expectations of a folder by trace, then its streams. */
function tasksOf(folder: string, root: string): ValidateTask[] {
  const prefix = relative(root, folder);
  const placed = (name: string) => (prefix === "" ? name : `${prefix}/${name}`);
  const byFile = new Map<string, Expectation[]>();
  for (const expectation of readExpectations(folder)) {
    const one = { ...expectation, trace: placed(expectation.trace) };
    const same = byFile.get(expectation.file);
    if (same === undefined) byFile.set(expectation.file, [one]);
    else same.push(one);
  }
  const traces = [...byFile].map(([file, expectations]): ValidateTask => ({
    kind: "trace",
    file,
    expectations,
  }));
  const streams = streamNames(folder).map((name): ValidateTask => ({
    kind: "stream",
    file: join(folder, name),
    name: placed(name),
  }));
  return [...traces, ...streams];
}

async function runAll(
  tasks: readonly ValidateTask[],
  { workers, onTrace }: ValidateOptions,
): Promise<TraceComparison[][]> {
  const threads = Math.max(1, Math.min(workers, tasks.length));
  const pool = new Piscina<ValidateTask, ValidateOutcome>({
    filename: codeUrl(worker).href,
    minThreads: threads,
    maxThreads: threads,
  });
  let done = 0;
  try {
    return await Promise.all(
      tasks.map(async (task) => {
        const outcome = await runTask(pool, task);
        if (outcome.kind === "failed") throw new EnvironmentError(outcome.message);
        done += 1;
        onTrace(done, tasks.length);
        return [...outcome.comparisons];
      }),
    );
  } finally {
    await pool.destroy();
  }
}

async function runTask(
  pool: Piscina<ValidateTask, ValidateOutcome>,
  task: ValidateTask,
): Promise<ValidateOutcome> {
  try {
    return await pool.run(task, { name: "runTask" });
  } catch (error) {
    const message = `${basename(task.file)}: its worker died: ${errorLine(error)}`;
    return { kind: "failed", message };
  }
}

function summary(traces: number, outcomes: readonly TraceComparison[][]): Validation {
  const comparisons = outcomes.flat();
  const notes = new Set<string>();
  for (const { kernel, mode, engine, unknownCounters } of comparisons) {
    if (engine === null) notes.add(`kernel ${kernel}, mode ${mode}: no engine models it`);
    for (const counter of unknownCounters) notes.add(`counter ${counter}: not counted here`);
  }
  return {
    traces,
    compared: comparisons.reduce((sum, { compared }) => sum + compared, 0),
    differences: comparisons.flatMap(({ trace, kernel, mode, differences }) =>
      differences.map((difference) => ({ ...difference, trace, kernel, mode })),
    ),
    cold: coldModes(comparisons),
    notes: [...notes].toSorted(),
  };
}

function coldModes(comparisons: readonly TraceComparison[]): ColdMode[] {
  const sums = new Map<string, ColdCounts>();
  for (const { kernel, mode, cold } of comparisons) {
    if (cold === null) continue;
    const name = `${kernel} ${mode}`;
    const { below, within, above } = sums.get(name) ?? { below: 0, within: 0, above: 0 };
    sums.set(name, {
      below: below + cold.below,
      within: within + cold.within,
      above: above + cold.above,
    });
  }
  const modes = [...sums].map(([mode, counts]) => ({ mode, ...counts }));
  return modes.toSorted((a, b) => (a.mode < b.mode ? -1 : 1));
}
