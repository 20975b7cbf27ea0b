/**
 * What a worker thread does for a sweep of migrations: one point, or one line that says why not.
 */
import { errorLine } from "../../bench/input/config-error.ts";
import { presetCosts } from "../../bench/costs/cost-file.ts";
import { hardwareFor } from "../../machine/hardware.ts";
import type { PointOutcome, PointTask } from "../../bench/sweeps/pool.ts";
import { clockOf } from "./clocks.ts";
import type { MigrationKey, MigrationResult } from "../../bench/results/result.ts";
import { runMigration } from "./run-migration.ts";

/** What goes to a worker: the preset whose costs price a machine stands beside it. */
export interface MigrationTaskKey extends MigrationKey {
  readonly pricedLike: string;
}

/** The task that `run-migrations.ts` names. */
export async function runTask({
  key: { pricedLike, ...key },
  preset,
  check,
}: PointTask<MigrationTaskKey>): Promise<PointOutcome<MigrationResult>> {
  try {
    const hardware = hardwareFor(preset);
    const cost = presetCosts()(pricedLike);
    const options = { preset, ...hardware, check, cost, gigahertz: clockOf(cost.name) };
    return { kind: "finished", finished: runMigration(key, options) };
  } catch (error) {
    return { kind: "failed", message: errorLine(error) };
  }
}
