/**
 * `shadewalk fuzz --policies`: random guests under random rules, told as a line.
 */
import { fuzzPolicies } from "../policies/fuzz/fuzz-policies.ts";
import { policedTargetNames } from "../policies/fuzz/policed-targets.ts";
import { createProgress } from "./progress.ts";

export interface PolicyFuzzRun {
  readonly seed: number;
  readonly ops: number;
  readonly quiet: boolean;
}

/** Prints what it did, or what failed; true if all went well. */
export function runPolicyFuzz({ seed, ops, quiet }: PolicyFuzzRun): boolean {
  let seen = { ops: 0, checked: 0 };
  const progress = createProgress({
    unit: "ops",
    count: ops,
    weightLeft: () => Math.max(0, ops - seen.ops),
    speed: "count",
    quiet,
    stream: process.stderr,
  });
  const { failure, ...done } = fuzzPolicies({
    seed,
    ops,
    targets: policedTargetNames,
    onProgress({ ops: opsDone, checked }) {
      const count = opsDone - seen.ops;
      progress.add({ count, weight: count, accesses: checked - seen.checked });
      seen = { ops: opsDone, checked };
    },
  });
  progress.finish();
  console.log(
    `seed ${seed}: ${done.programs} programs, ${done.ops} ops, ${done.checked} accesses checked, ` +
      `${done.denied} acts denied`,
  );
  if (failure !== null) console.log(failure);
  return failure === null;
}
