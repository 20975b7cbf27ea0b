/**
 * The progress line of a fuzz run, told by operations.
 */
import type { FuzzProgress } from "../check/fuzz/hunt.ts";
import { createProgress, type Progress } from "./progress.ts";

export interface FuzzReport {
  readonly progress: Progress;
  /** Takes what has been done since the start. */
  readonly onProgress: (done: Pick<FuzzProgress, "ops" | "checked">) => void;
}

/** Of `ops` operations to come. */
export function createFuzzProgress(ops: number, quiet: boolean): FuzzReport {
  let seen = { ops: 0, checked: 0 };
  const progress = createProgress({
    unit: "ops",
    count: ops,
    weightLeft: () => Math.max(0, ops - seen.ops),
    speed: "count",
    quiet,
    stream: process.stderr,
  });
  return {
    progress,
    onProgress({ ops: done, checked }) {
      const count = done - seen.ops;
      progress.add({ count, weight: count, accesses: checked - seen.checked });
      seen = { ops: done, checked };
    },
  };
}
