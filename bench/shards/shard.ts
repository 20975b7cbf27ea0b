/**
 * One shard of a sweep: the points whose id modulo n is i, computed once, resumed when interrupted.
 *
 * Ids run over engines first, so every n that is no multiple of their number spreads slow engines evenly.
 * This contract, an index and a shared folder, is all that a cluster's scheduler has to know.
 */
import { existsSync } from "node:fs";
import { runSweep, sweepHash, type SweepRunOptions } from "../sweeps/run-sweep.ts";
import { readShard, shardFolder, shardName, shardPath, writeShard } from "./shard-file.ts";

export type ShardOptions = Omit<SweepRunOptions, "resume" | "part"> & {
  readonly index: number;
  readonly of: number;
};

export interface ShardRun {
  readonly path: string;
  /** Did an earlier run leave the file? */
  readonly isOld: boolean;
  readonly finished: number;
  readonly failures: readonly string[];
}

/** The points of shard `index` of `of`. */
export function shardPoints({ points, index, of }: Pick<ShardOptions, "points" | "index" | "of">) {
  return points.filter(({ id }) => id % of === index);
}

/** Computes a shard and writes its file, unless it is there already or a point failed. */
export async function runShard(options: ShardOptions): Promise<ShardRun> {
  const { index, of, out } = options;
  const path = shardPath(out, index, of);
  const sweep = sweepHash(options);
  if (existsSync(path)) {
    const { finished } = readShard(path, sweep, options.points);
    return { path, isOld: true, finished: finished.length, failures: [] };
  }
  const points = shardPoints(options);
  const run = await runSweep({
    ...options,
    points,
    out: shardFolder(out),
    part: shardName(index, of),
    resume: true,
  });
  const { finished, failures } = run;
  if (finished.length === points.length) writeShard(path, { sweep, index, of }, finished);
  run.close();
  return { path, isOld: false, finished: finished.length, failures };
}
