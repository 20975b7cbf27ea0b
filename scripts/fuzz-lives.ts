/**
 * `shadewalk fuzz` of engines whose guests are not x86-64's: random lives of their kernel, told as a line.
 */
import { fuzzLives } from "../check/fuzz/fuzz-lives.ts";
import { createProgress } from "./progress.ts";

export interface LivesRun {
  readonly seed: number;
  readonly ops: number;
  readonly engines: readonly string[];
  readonly presets: readonly string[];
  readonly quiet: boolean;
}

/** Prints what it did, or what failed and how to see it again; true if all went well. */
export function runLives({ seed, ops, engines, presets, quiet }: LivesRun): boolean {
  let seen = { ops: 0, checked: 0 };
  const progress = createProgress({
    unit: "ops",
    count: ops,
    weightLeft: () => Math.max(0, ops - seen.ops),
    speed: "count",
    quiet,
    stream: process.stderr,
  });
  if (!quiet) progress.note(`seed ${seed}`);
  const { failure, ...done } = fuzzLives({
    seed,
    ops,
    engines,
    presets,
    onProgress({ ops: opsDone, checked }) {
      const count = opsDone - seen.ops;
      progress.add({ count, weight: count, accesses: checked - seen.checked });
      seen = { ops: opsDone, checked };
    },
  });
  progress.finish();
  const what = `${done.programs} lives of a kernel, ${done.ops} ops, ${done.checked} accesses checked`;
  console.log(`seed ${seed}: ${what}`);
  if (failure === null) return true;
  console.log(`${failure}\nthe same seed, ops, engines and presets fail again`);
  return false;
}
