/**
 * Slurm: a job array with one task per shard, and a merge that depends on all of them.
 *
 * What is not obvious: SLURM_ARRAY_TASK_COUNT is the size of one submission, so the number of shards is part
 * of the command; Slurm starts a task again when its node fails but not when the task does, so the task asks
 * for that itself, at most twice; a merge whose array failed would wait for ever.
 */
import { join } from "node:path";
import { EnvironmentError } from "../input/config-error.ts";
import {
  againText,
  type Launcher,
  mergeCommand,
  runRead,
  shardText,
  shellQuote,
  type Submission,
  submitFolder,
  writeScript,
} from "./submit.ts";

/** Starts after a failure; a point that fails three times fails always. */
const restartsMax = 2;

export const submitSlurm: Launcher = (submission) => {
  const { out, cwd, missing, shards, workers = 1, wait, onStep } = submission;
  const log = (name: string) => `--output=${join(submitFolder(out), name)}`;
  const dependency: string[] = [];
  if (missing.length > 0) {
    const script = writeScript(submission, "shard-slurm.sh", taskLines(submission));
    // A task that starts again adds to its log.
    const options = ["--parsable", "--requeue", "--job-name=shadewalk", "--open-mode=append"];
    const size = [`--array=${ranges(missing)}`, `--cpus-per-task=${workers}`];
    const array = jobOf(["sbatch", ...options, ...size, log("shard-%A_%a.log"), script], cwd);
    dependency.push(`--dependency=afterok:${array}`, "--kill-on-invalid-dep=yes");
    onStep(`array job ${array} computes ${missing.length} of ${shards} shards`);
  }
  const merge = mergeCommand(submission).map(shellQuote).join(" ");
  const options = ["--parsable", "--job-name=shadewalk-merge", ...dependency, log("merge-%j.log")];
  const script = writeScript(submission, "merge-slurm.sh", [`exec ${merge}`]);
  const job = jobOf(["sbatch", ...options, ...(wait ? ["--wait"] : []), script], cwd);
  if (!wait) return `job ${job} merges into ${out}/`;
  // `sbatch --wait` reports success for a job that was cancelled because its array failed.
  const facts = runRead(["scontrol", "--oneliner", "show", "job", job], cwd);
  const [, state = "unknown"] = /\bJobState=(\w+)/.exec(facts) ?? [];
  if (state === "COMPLETED") return `job ${job} merged into ${out}/`;
  throw new EnvironmentError(
    `job ${job}, which merges, ended as ${state}: logs are in ${submitFolder(out)}/; ${againText}`,
  );
};

/** Submits; the job's number. On a federation the cluster's name follows it. */
function jobOf(command: readonly string[], cwd: string): string {
  return runRead(command, cwd).trim().replace(/;.*/, "");
}

function taskLines(submission: Submission): string[] {
  return [
    shardText(submission, "$SLURM_ARRAY_TASK_ID"),
    "status=$?",
    "# 2 is wrong input, which would be wrong again.",
    `if [ $status -ne 0 ] && [ $status -ne 2 ] && [ "\${SLURM_RESTART_COUNT:-0}" -lt ${restartsMax} ]; then`,
    "  # Slurm ends this script when it takes the task back.",
    '  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" && sleep 60',
    "fi",
    "exit $status",
  ];
}

/** `0-3,7`: sorted numbers as Slurm writes them; 1000 numbers in full would be too long for a command. */
export function ranges(numbers: readonly number[]): string {
  const runs: { readonly first: number; last: number }[] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run !== undefined && run.last === number - 1) run.last = number;
    else runs.push({ first: number, last: number });
  }
  return runs
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
    .join(",");
}
