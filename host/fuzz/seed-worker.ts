/**
 * What a worker thread of a long run does: one seed, telling how far it is.
 */
import { parentPort } from "node:worker_threads";
import type { FuzzProgress } from "../../check/fuzz/hunt.ts";
import { runSeed, type SeedOptions, type SeedReport } from "./seed-run.ts";

/** What a thread says of the seed that it is at. */
export interface SeedProgress extends FuzzProgress {
  readonly seed: number;
}

/** The task that `run-seeds.ts` names. */
export function runTask(options: SeedOptions): SeedReport {
  const { seed } = options;
  return runSeed(options, ({ programs, ops, checked }) => {
    const told: SeedProgress = { seed, programs, ops, checked };
    parentPort?.postMessage(told);
  });
}
