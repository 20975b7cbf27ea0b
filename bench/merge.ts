/**
 * Puts the shards of a sweep together: every point exactly once, or a line that says which one is not.
 *
 * A point's result depends on its key alone, so sorted by id the parts are what a single run would have
 * kept, and the files made from them have the same bytes.
 */
import { EnvironmentError } from "./config-error.ts";
import type { Finished } from "./pool.ts";
import { sweepHash, type SweepIdentity } from "./run-sweep.ts";
import { readShard, type Shard, shardFiles, shardFolder } from "./shard-file.ts";

export interface MergedSweep {
  /** Sorted by id. */
  readonly finished: readonly Finished[];
  readonly shards: number;
}

/** Reads the shards below `out`. Throws an `EnvironmentError` unless they make up exactly the sweep. */
export function mergeShards(out: string, sweep: SweepIdentity): MergedSweep {
  const paths = shardFiles(out);
  if (paths.length === 0) throw new EnvironmentError(`${shardFolder(out)}: holds no shards`);
  const hash = sweepHash(sweep);
  const keyTexts = new Map(sweep.points.map((key) => [key.id, JSON.stringify(key)]));
  const found = new Map<number, { readonly finished: Finished; readonly path: string }>();
  const shards = paths.map(readShard);
  for (const { path, header, finished: lines } of shards) {
    if (header.sweep !== hash) {
      throw new EnvironmentError(
        `${path}: is a shard of another sweep, or was made with other options: remove it`,
      );
    }
    for (const finished of lines) {
      const { key } = finished.result;
      if (key.id % header.of !== header.index || JSON.stringify(key) !== keyTexts.get(key.id)) {
        throw new EnvironmentError(`${path}: holds point ${key.id}, which does not belong there`);
      }
      const earlier = found.get(key.id);
      if (earlier !== undefined) {
        throw new EnvironmentError(
          `point ${key.id} is in ${earlier.path} and in ${path}: remove one`,
        );
      }
      found.set(key.id, { finished, path });
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
