/** `shadewalk submit`: a sweep in parts on a cluster, on a few machines, or here. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "@commander-js/extra-typings";
import { codeUrl } from "../../bench/code-url.ts";
import { missingShards } from "../../bench/shards/shard-file.ts";
import { submitParallel } from "../../bench/shards/submit-parallel.ts";
import { submitSlurm } from "../../bench/shards/submit-slurm.ts";
import { type Launcher, submitLocal } from "../../bench/shards/submit.ts";
import { refuseGiven } from "./given.ts";
import { oneOf, shardsMax, wholeNumber } from "./options.ts";
import {
  checkOption,
  chooseSweep,
  costOption,
  enginesOption,
  seedsOption,
  sweepArgument,
  workloadsOption,
} from "./sweep-choice.ts";

const launchers = {
  slurm: submitSlurm,
  parallel: submitParallel,
  local: submitLocal,
} satisfies Record<string, Launcher>;
const launcherNames = ["slurm", "parallel", "local"] as const;

/** A task should last half a minute or more; more parts of a small sweep only cost starts. */
const defaultShards = 16;

export const submit = () =>
  new Command("submit")
    .description("Run a sweep in parts under Slurm, GNU parallel, or one after the other.")
    .addArgument(sweepArgument())
    .requiredOption(
      "--engine <name>",
      `who runs the parts: ${launcherNames.join(", ")}`,
      oneOf("--engine", launcherNames),
    )
    .requiredOption("-o, --out <folder>", "folder for results, which all machines share")
    .option(
      "-n, --shards <n>",
      `number of parts (default: ${defaultShards}, fewer for a small sweep)`,
      wholeNumber("--shards", 1, shardsMax),
    )
    .option(
      "-w, --workers <n>",
      "worker threads of a part (default: one under Slurm, else every processor)",
      wholeNumber("--workers", 1, 256),
    )
    .option("--sshlogin <hosts>", "GNU parallel's hosts, separated by commas (default: here)")
    .option("--wait", "return when the merge is done (Slurm)", false)
    .addOption(enginesOption())
    .addOption(workloadsOption())
    .addOption(seedsOption())
    .addOption(checkOption())
    .addOption(costOption())
    .addHelpText(
      "after",
      `
Parts that are finished are not run again: submit once more after a failure. Scripts and logs are in
FOLDER/submit/. Partition, account and time limit are sbatch's own variables, such as SBATCH_PARTITION.

Examples:
  npx shadewalk submit default --engine slurm --out /shared/run --shards 32 --wait
  npx shadewalk submit default --engine parallel --out /shared/run --sshlogin one,two
  npx shadewalk submit quick --engine local --out /tmp/run --shards 3`,
    )
    .action((name, options, command) => {
      const { engine, workers, check, cost, sshlogin, wait } = options;
      const unused = `is not used with --engine ${engine}`;
      if (engine !== "slurm") refuseGiven(command, ["wait"], unused);
      if (engine !== "parallel") refuseGiven(command, ["sshlogin"], unused);
      const { points } = chooseSweep(name, options);
      const shards = options.shards ?? Math.min(points.length, defaultShards);
      const out = resolve(options.out);
      const words = [name, "--out", out, ...filterWords(options), ...(check ? ["--check"] : [])];
      const threads = engine === "slurm" ? (workers ?? 1) : workers;
      const count = threads === undefined ? [] : ["--workers", String(threads)];
      const said = launchers[engine]({
        out,
        cwd: process.cwd(),
        shards,
        missing: missingShards(out, shards),
        // Node by its full path: other machines and shells find another one.
        program: [process.execPath, fileURLToPath(codeUrl(entry))],
        shardWords: ["shard", ...words, "--of", String(shards), ...count],
        mergeWords: ["merge", ...words, ...(cost === undefined ? [] : ["--cost", cost])],
        workers: threads,
        hosts: sshlogin,
        wait,
        onStep: (line) => console.log(line),
      });
      console.log(said);
    });

const entry = new URL("../shadewalk.ts", import.meta.url);

function filterWords({
  engines,
  workloads,
  seeds,
}: {
  readonly engines?: readonly string[] | undefined;
  readonly workloads?: readonly string[] | undefined;
  readonly seeds?: readonly number[] | undefined;
}): string[] {
  const lists = { engines, workloads, seeds };
  return Object.entries(lists).flatMap(([name, list]) =>
    list === undefined ? [] : [`--${name}`, list.join(",")],
  );
}
