/**
 * Puts the shards of a sweep together: every point exactly once, or a line that says which one is not.
 *
 * A point's result depends on its key alone, so sorted by id the parts are what a single run would have
 * kept, and the files made from them have the same bytes.
 */
import { ConfigError, EnvironmentError } from "../input/config-error.ts";
import type { Finished } from "../sweeps/pool.ts";
import { sweepHash, type SweepIdentity } from "../sweeps/run-sweep.ts";
import { readShard, type Shard, shardFiles, shardFolder } from "./shard-file.ts";

export interface MergedSweep {
  /** Sorted by id. */
  readonly finished: readonly Finished[];
  readonly shards: number;
}

/**
 * Reads the shards below `out`. Throws an `EnvironmentError` when some are missing, a `ConfigError` when one is
 * damaged, of another sweep, or there twice.
 */
export function mergeShards(out: string, sweep: SweepIdentity): MergedSweep {
  const paths = shardFiles(out);
  if (paths.length === 0) throw new EnvironmentError(`${shardFolder(out)}: holds no shards`);
  const hash = sweepHash(sweep);
  const found = new Map<number, { readonly finished: Finished; readonly path: string }>();
  const shards = paths.map((path) => readShard(path, hash, sweep.points));
  for (const { path, finished: lines } of shards) {
    for (const finished of lines) {
      const { id } = finished.result.key;
      const earlier = found.get(id);
      if (earlier !== undefined) {
        throw new ConfigError(`point ${id} is in ${earlier.path} and in ${path}: remove one`);
      }
      found.set(id, { finished, path });
    }
  }
  const missing = sweep.points.filter(({ id }) => !found.has(id)).map(({ id }) => id);
  if (missing.length > 0) throw new EnvironmentError(missingText(missing, sweep, shards));
  const all = [...found.values()].map(({ finished }) => finished);
  return {
    finished: all.toSorted((a, b) => a.result.key.id - b.result.key.id),
    shards: shards.length,
  };
}

const namedMax = 8;

function missingText(
  missing: readonly number[],
  { points }: SweepIdentity,
  shards: readonly Shard[],
): string {
  const list = (numbers: readonly number[]) =>
    numbers.slice(0, namedMax).join(", ") + (numbers.length > namedMax ? ", ..." : "");
  const counts = new Set(shards.map(({ header }) => header.of));
  const [of] = counts;
  const about = `${missing.length} of ${points.length} points are missing: ${list(missing)}`;
  // Shards of several divisions leave no single answer to what is to be run.
  if (of === undefined || counts.size > 1) return about;
  const wanted = [...new Set(missing.map((id) => id % of))].toSorted((a, b) => a - b);
  return `${about} (shards ${list(wanted)} of ${of})`;
}
