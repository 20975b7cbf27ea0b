/** `shadewalk shard`: one part of a sweep, for a scheduler that runs the parts on many machines. */
import { availableParallelism } from "node:os";
import { Command } from "@commander-js/extra-typings";
import { ConfigError } from "../../bench/input/config-error.ts";
import { costOf } from "../../bench/sweeps/remaining-work.ts";
import { runShard, shardPoints } from "../../bench/shards/shard.ts";
import { pointsProgress } from "../points-progress.ts";
import { waiting } from "../waiting.ts";
import { shardsMax, wholeNumber } from "./options.ts";
import {
  checkOption,
  chooseSweep,
  enginesOption,
  seedsOption,
  sweepArgument,
  workloadsOption,
} from "./sweep-choice.ts";

export const shard = () =>
  new Command("shard")
    .description("Compute one part of a sweep: the points whose id modulo n is i.")
    .addArgument(sweepArgument())
    .requiredOption("--index <i>", "which part, from 0", wholeNumber("--index", 0, shardsMax - 1))
    .requiredOption("--of <n>", "number of parts", wholeNumber("--of", 1, shardsMax))
    .requiredOption("-o, --out <folder>", "folder for results, the same for all parts")
    .option(
      "-w, --workers <n>",
      "worker threads; results do not depend on it",
      wholeNumber("--workers", 1, 256),
      Math.max(1, availableParallelism()),
    )
    .option("-q, --quiet", "no progress on stderr", false)
    .addOption(enginesOption())
    .addOption(workloadsOption())
    .addOption(seedsOption())
    .addOption(checkOption())
    .addHelpText(
      "after",
      `
The file FOLDER/shards/shard-I-of-N.jsonl appears when the part is whole; a part that has one is skipped, an
interrupted one goes on where it stopped. Then \`merge\` with the same sweep and filters makes the tables.

Example, two machines with a shared folder:
  npx shadewalk shard default --index 0 --of 2 --out /shared/run
  npx shadewalk shard default --index 1 --of 2 --out /shared/run
  npx shadewalk merge default --out /shared/run`,
    )
    .action(async (name, options) => {
      const { index, of, out, workers, quiet, check } = options;
      if (index >= of) throw new ConfigError(`--index ${index}: must be below --of, ${of}`);
      const { sweep, points } = chooseSweep(name, options);
      const abort = new AbortController();
      process.once("SIGINT", () => abort.abort());
      const progress = pointsProgress(shardPoints({ points, index, of }), {
        unit: "points",
        quiet,
      });
      const run = await runShard({
        points,
        machines: sweep.sweep.machines,
        index,
        of,
        out,
        workers,
        check,
        signal: abort.signal,
        onFinished: ({ result, host }) => progress.onFinished(result.key, costOf(result, host)),
        onFailed: (message) => progress.onFailed(message),
        onWait: waiting,
      });
      const { path, isOld, finished, failures } = run;
      if (isOld) return console.log(`${path}: ${finished} points, finished before`);
      progress.finish();
      if (abort.signal.aborted) {
        console.error(`shadewalk: interrupted; the same command runs the rest`);
        process.exitCode = 130;
      } else if (failures.length > 0) {
        console.error(`shadewalk: ${failures.length} points failed; there is no ${path}`);
        process.exitCode = 1;
      } else {
        console.log(`${path}: ${finished} points`);
      }
    });
