/** `shadewalk merge`: the parts of a sweep become the files of a single run. */
import { existsSync } from "node:fs";
import { Command } from "@commander-js/extra-typings";
import { EnvironmentError } from "../../bench/input/config-error.ts";
import { lockFolder } from "../../bench/files/folder-lock.ts";
import { startHostClock } from "../../bench/host-time.ts";
import { writingInto } from "../../bench/files/make-folder.ts";
import { mergeShards } from "../../bench/shards/merge.ts";
import { shardFolder } from "../../bench/shards/shard-file.ts";
import { publish } from "../publish.ts";
import { waiting } from "../waiting.ts";
import {
  checkOption,
  chooseSweep,
  costOption,
  enginesOption,
  seedsOption,
  sweepArgument,
  workloadsOption,
} from "./sweep-choice.ts";

export const merge = () =>
  new Command("merge")
    .description("Put the parts that `shard` computed together and write tables and charts.")
    .addArgument(sweepArgument())
    .requiredOption("-o, --out <folder>", "folder that the parts were given")
    .addOption(enginesOption())
    .addOption(workloadsOption())
    .addOption(seedsOption())
    .addOption(checkOption())
    .addOption(costOption())
    .addHelpText(
      "after",
      `
Every point must be there exactly once, from this sweep with these filters; otherwise one line says what is
missing, twice there or foreign. The files are, byte for byte, those of \`bench\`; only host.json differs.

Example:
  npx shadewalk merge default --out /shared/run`,
    )
    .action(async (name, options) => {
      const { out, check, cost } = options;
      const { sweep, points } = chooseSweep(name, options);
      const { machines } = sweep.sweep;
      if (!existsSync(shardFolder(out)))
        throw new EnvironmentError(`${shardFolder(out)}: no such folder`);
      const lock = await lockFolder({ folder: out, onWatch: waiting });
      const { finished, shards } = mergeShards(out, { points, machines, check });
      const closeAccount = startHostClock(shards);
      const host = closeAccount(finished.map((one) => ({ id: one.result.key.id, ...one.host })));
      const run = { folder: out, sweep, points, finished, check, cost, host };
      const advice = "the shards are kept: make room, then merge again";
      console.log(await writingInto(out, advice, () => publish(run)));
      lock.release();
    });
