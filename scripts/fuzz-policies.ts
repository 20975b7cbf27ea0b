/**
 * `shadewalk fuzz --policies`: random guests under random rules, told as a line.
 */
import { fuzzPolicies } from "../policies/fuzz/fuzz-policies.ts";
import { policedTargetNames } from "../policies/fuzz/policed-targets.ts";
import { createFuzzProgress } from "./fuzz-progress.ts";

export interface PolicyFuzzRun {
  readonly seed: number;
  readonly ops: number;
  readonly quiet: boolean;
}

/** Prints what it did, or what failed; true if all went well. */
export function runPolicyFuzz({ seed, ops, quiet }: PolicyFuzzRun): boolean {
  const { progress, onProgress } = createFuzzProgress(ops, quiet);
  const { failure, ...done } = fuzzPolicies({
    seed,
    ops,
    targets: policedTargetNames,
    onProgress,
  });
  progress.finish();
  console.log(
    `seed ${seed}: ${done.programs} programs, ${done.ops} ops, ${done.checked} accesses checked, ` +
      `${done.denied} acts denied`,
  );
  if (failure !== null) console.log(failure);
  return failure === null;
}
