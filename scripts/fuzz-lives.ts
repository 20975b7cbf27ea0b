/**
 * `shadewalk fuzz` of engines whose guests are not x86-64's: random lives of their kernel, told as a line.
 */
import { fuzzLives } from "../check/fuzz/fuzz-lives.ts";
import { createFuzzProgress } from "./fuzz-progress.ts";

export interface LivesRun {
  readonly seed: number;
  readonly ops: number;
  readonly engines: readonly string[];
  readonly presets: readonly string[];
  readonly quiet: boolean;
}

/** Prints what it did, or what failed and how to see it again; true if all went well. */
export function runLives({ seed, ops, engines, presets, quiet }: LivesRun): boolean {
  const { progress, onProgress } = createFuzzProgress(ops, quiet);
  if (!quiet) progress.note(`seed ${seed}`);
  const { failure, ...done } = fuzzLives({ seed, ops, engines, presets, onProgress });
  progress.finish();
  const what = `${done.programs} lives of a kernel, ${done.ops} ops, ${done.checked} accesses checked`;
  console.log(`seed ${seed}: ${what}`);
  if (failure === null) return true;
  console.log(`${failure}\nthe same seed, ops, engines and presets fail again`);
  return false;
}
