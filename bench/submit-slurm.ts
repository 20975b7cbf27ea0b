/**
 * Slurm: a job array with one task per shard, and a merge that depends on all of them.
 *
 * What is not obvious: SLURM_ARRAY_TASK_COUNT is the size of one submission, so the number of shards is part
 * of the command; Slurm starts a task again when its node fails but not when the task does, so the task asks
 * for that itself, at most twice; a merge whose array failed would wait for ever.
 */
import { join } from "node:path";
import {
  type Launcher,
  mergeCommand,
  runRead,
  runShown,
  shardText,
  shellQuote,
  submitFolder,
  writeScript,
} from "./submit.ts";

/** Starts after a failure; a point that fails three times fails always. */
const restartsMax = 2;

export const submitSlurm: Launcher = (submission) => {
  const { out, cwd, missing, shards, workers = 1, wait } = submission;
  const log = (name: string) => `--output=${join(submitFolder(out), name)}`;
  const dependency: string[] = [];
  const said: string[] = [];
  if (missing.length > 0) {
    const script = writeScript(submission, "shard-slurm.sh", taskLines(submission));
    // A task that starts again adds to its log.
    const options = ["--parsable", "--requeue", "--job-name=shadewalk", "--open-mode=append"];
    const size = [`--array=${ranges(missing)}`, `--cpus-per-task=${workers}`];
    const array = runRead(["sbatch", ...options, ...size, log("shard-%A_%a.log"), script], cwd);
    // On a federation the number is followed by the cluster's name.
    const [job = ""] = array.trim().split(";");
    dependency.push(`--dependency=afterok:${job}`, "--kill-on-invalid-dep=yes");
    said.push(`array job ${job} computes ${missing.length} of ${shards} shards`);
  }
  const merge = mergeCommand(submission).map(shellQuote).join(" ");
  const options = ["--parsable", "--job-name=shadewalk-merge", ...dependency, log("merge-%j.log")];
  const script = writeScript(submission, "merge-slurm.sh", [`exec ${merge}`]);
  const mergeJob = ["sbatch", ...options, ...(wait ? ["--wait"] : []), script];
  if (wait) {
    runShown(mergeJob, cwd);
    return [...said, `merged in ${out}/`].join(", ");
  }
  const [job = ""] = runRead(mergeJob, cwd).trim().split(";");
  return [...said, `job ${job} merges into ${out}/`].join(", ");
};

function taskLines(submission: Parameters<Launcher>[0]): string[] {
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
