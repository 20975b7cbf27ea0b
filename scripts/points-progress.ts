/** Progress of many points: accesses counted as they come, time left by what points like those to come have taken. */
import { type PointCost, remainingWork } from "../bench/sweeps/remaining-work.ts";
import type { PointKey } from "../bench/results/result.ts";
import { createProgress, type ProgressOptions } from "./progress.ts";

export interface PointsProgress {
  onFinished(key: PointKey, cost: PointCost): void;
  onFailed(message: string): void;
  finish(): void;
}

type Shown = Pick<ProgressOptions, "quiet" | "unit"> &
  Partial<Pick<ProgressOptions, "now" | "stream">>;

export function pointsProgress(points: readonly PointKey[], shown: Shown): PointsProgress {
  const remaining = remainingWork(points);
  const progress = createProgress({
    stream: process.stderr,
    speed: "accesses",
    ...shown,
    count: points.length,
    weightLeft: () => remaining.left(),
  });
  return {
    onFinished(key, { accesses, milliseconds }) {
      const weight = milliseconds ?? accesses;
      remaining.finish(key, weight);
      progress.add({ count: 1, weight, accesses });
    },
    onFailed: (message) => progress.note(`shadewalk: ${message}`),
    finish: () => progress.finish(),
  };
}
