/**
 * Runs points on worker threads, in any order, and hands each result over as it arrives.
 *
 * Each thread holds one point at a time, so an interrupted sweep loses only what was in flight. Nothing here
 * decides a result: a point depends on its key alone, so the order and the number of threads cannot show.
 */
import { getHeapStatistics } from "node:v8";
import { Piscina } from "piscina";
import { describeWorkloads, isRecorded } from "../points/catalogue.ts";
import { codeUrl } from "../code-url.ts";
import { errorLine, pick } from "../input/config-error.ts";
import type { HostCost } from "../host-time.ts";
import type { Preset } from "../../machine/presets.ts";
import { describePoint } from "../points/point.ts";
import type { PointKey, PointResult } from "../results/result.ts";
import type { Sweep } from "./sweep.ts";

/** One finished point and how long the host took for it. */
export interface Finished {
  readonly result: PointResult;
  /** Accesses that the oracle saw. */
  readonly checked: number;
  readonly host: HostCost;
}

/** What goes to a worker. */
export interface PointTask<K extends PointKey = PointKey> {
  readonly key: K;
  /** The machine that the key's preset names. */
  readonly preset: Preset;
  readonly check: boolean;
}

/** What comes back: errors as text, because a thread boundary drops an error's class. */
export type PointOutcome<F = Finished> =
  | { readonly kind: "finished"; readonly finished: F }
  | { readonly kind: "failed"; readonly message: string };

export interface PoolOptions<F = Finished> {
  readonly machines: Sweep["machines"];
  readonly workers: number;
  readonly check: boolean;
  /** Stops the sweep: points in flight are given up. */
  readonly signal: AbortSignal;
  /** The task file; another one in tests of crashes. */
  readonly task?: URL | undefined;
  /** Heap of a worker; one that needs more dies alone. */
  readonly heapMegabytes?: number | undefined;
  onFinished(finished: F): void;
  /** One line: which point failed and why. */
  onFailed(message: string, key: PointKey): void;
}

const pointWorker = new URL("./point-worker.ts", import.meta.url);

/** Points after which threads are renewed: each long point leaves 0.25 MB of code in its thread. */
const pointsPerPool = 1000;

/** What this process may take, so that one option of Node's raises both; never less than a large point needs. */
function heapDefault(): number {
  return Math.max(2048, Math.round(getHeapStatistics().heap_size_limit / 2 ** 20));
}

/** Resolves when every point has finished or failed, or when `signal` stopped the sweep. */
export async function runPoints<K extends PointKey = PointKey, F = Finished>(
  points: readonly K[],
  options: PoolOptions<F>,
): Promise<void> {
  const used = new Set(points.map(({ workload }) => workload));
  for (const [name, workload] of describeWorkloads()) {
    if (used.has(name) && isRecorded(workload)) workload.share();
  }
  for (let first = 0; first < points.length; first += pointsPerPool) {
    await runOnPool(points.slice(first, first + pointsPerPool), options);
  }
}

async function runOnPool<K extends PointKey, F>(
  points: readonly K[],
  options: PoolOptions<F>,
): Promise<void> {
  const {
    machines,
    workers,
    check,
    signal,
    task = pointWorker,
    heapMegabytes = heapDefault(),
  } = options;
  if (signal.aborted) return;
  const threads = Math.min(workers, points.length);
  const pool = new Piscina<PointTask<K>, PointOutcome<F>>({
    filename: codeUrl(task).href,
    minThreads: threads,
    maxThreads: threads,
    // A worker that runs out of memory must not take the process with it.
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  const queue = points.values();
  const work = async () => {
    for (const key of queue) {
      if (signal.aborted) return;
      const { preset } = pick(machines, key.preset, "preset");
      const outcome = await runTask(pool, { key, preset, check }, signal);
      if (signal.aborted && outcome.kind === "failed") return;
      if (outcome.kind === "finished") options.onFinished(outcome.finished);
      else options.onFailed(`${describePoint(key)}: ${outcome.message}`, key);
    }
  };
  try {
    await Promise.all(Array.from({ length: threads }, work));
  } finally {
    await pool.destroy();
  }
}

async function runTask<K extends PointKey, F>(
  pool: Piscina<PointTask<K>, PointOutcome<F>>,
  task: PointTask<K>,
  signal: AbortSignal,
): Promise<PointOutcome<F>> {
  try {
    return await pool.run(task, { signal, name: "runTask" });
  } catch (error) {
    // The thread died: piscina replaces it and the sweep goes on.
    return { kind: "failed", message: `its worker died: ${errorLine(error)}` };
  }
}
