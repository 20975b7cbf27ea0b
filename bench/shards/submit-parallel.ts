/**
 * GNU parallel: one shard at a time on each host, over ssh or here, then the merge.
 *
 * The hosts share the folder and nothing else. A remote shell has its own PATH, so the script names Node by
 * its full path. A shard that fails is tried again, on another host if there is one.
 */
import { join } from "node:path";
import {
  type Launcher,
  mergeCommand,
  runShown,
  shardText,
  shellQuote,
  submitFolder,
  writeScript,
} from "./submit.ts";

const tries = 3;

export const submitParallel: Launcher = (submission) => {
  const { out, cwd, missing, hosts } = submission;
  if (missing.length > 0) {
    const script = writeScript(submission, "shard-parallel.sh", [
      `exec ${shardText(submission, "$1")}`,
    ]);
    const where = hosts === undefined ? [] : ["--sshlogin", hosts];
    const options = ["--will-cite", "--jobs", "1", "--retries", String(tries)];
    const joblog = ["--joblog", join(submitFolder(out), "parallel.log")];
    const command = ["bash", shellQuote(script), ":::", ...missing.map(String)];
    runShown(["parallel", ...options, ...joblog, ...where, ...command], cwd);
  }
  runShown(mergeCommand(submission), cwd);
  return `${missing.length} shards computed and merged in ${out}/`;
};
