/**
 * Runs migrations on worker threads; results come back sorted by id, whatever finished first.
 */
import { EnvironmentError, pick } from "../../bench/input/config-error.ts";
import { pointWeight } from "../../bench/points/point.ts";
import { runPoints } from "../../bench/sweeps/pool.ts";
import type { Sweep } from "../../bench/sweeps/sweep.ts";
import type { MigrationKey, MigrationResult } from "../../bench/results/result.ts";
import type { MigrationTaskKey } from "./migration-worker.ts";

export interface MigrationsToRun {
  readonly points: readonly MigrationKey[];
  readonly machines: Sweep["machines"];
  readonly workers: number;
  /** Watch every access with the oracle. */
  readonly check: boolean;
  readonly signal: AbortSignal;
  readonly onFinished: (result: MigrationResult) => void;
}

/** Throws when one fails: a lost write is no result. Returns what is finished when `signal` stops it. */
export async function runMigrations(options: MigrationsToRun): Promise<MigrationResult[]> {
  const { machines, workers, check, signal } = options;
  const results: MigrationResult[] = [];
  const failures: string[] = [];
  // A long point started last would leave the other threads waiting for it.
  const order = options.points.toSorted((a, b) => pointWeight(b) - pointWeight(a) || a.id - b.id);
  const tasks = order.map((key) => {
    return { ...key, pricedLike: pick(machines, key.preset, "preset").like };
  });
  await runPoints<MigrationTaskKey, MigrationResult>(tasks, {
    machines,
    workers,
    check,
    signal,
    task: new URL("./migration-worker.ts", import.meta.url),
    onFinished(result) {
      results.push(result);
      options.onFinished(result);
    },
    onFailed: (message) => failures.push(message),
  });
  const [failure] = failures.toSorted();
  if (failure !== undefined) throw new EnvironmentError(failure);
  return results.toSorted((a, b) => a.key.id - b.key.id);
}
