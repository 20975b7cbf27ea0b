/** Progress of a sweep: its points weighed by how long they take, accesses counted as they come. */
import { pointWeight } from "../bench/point.ts";
import type { Finished } from "../bench/pool.ts";
import type { PointKey } from "../bench/result.ts";
import { createProgress } from "./progress.ts";

export interface SweepProgress {
  onFinished(finished: Finished): void;
  onFailed(message: string): void;
  finish(): void;
}

export function sweepProgress(points: readonly PointKey[], quiet: boolean): SweepProgress {
  const progress = createProgress({
    unit: "points",
    count: points.length,
    weight: points.reduce((sum, key) => sum + pointWeight(key), 0),
    speed: "accesses",
    quiet,
    stream: process.stderr,
  });
  return {
    onFinished({ result: { key, regions } }) {
      const accesses = regions.setup.ledger.accesses + regions.measured.ledger.accesses;
      progress.add({ count: 1, weight: pointWeight(key), accesses });
    },
    onFailed: (message) => progress.note(`shadewalk: ${message}`),
    finish: () => progress.finish(),
  };
}
