/** `shadewalk bench`: runs a sweep, writes its results, prints who won. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { startHostClock } from "../../bench/host-time.ts";
import { journalName } from "../../bench/sweeps/journal.ts";
import { writingInto } from "../../bench/files/make-folder.ts";
import { costOf } from "../../bench/sweeps/remaining-work.ts";
import { runSweep } from "../../bench/sweeps/run-sweep.ts";
import { pointsProgress } from "../points-progress.ts";
import { publish } from "../publish.ts";
import { waiting } from "../waiting.ts";
import { wholeNumber } from "./options.ts";
import {
  checkOption,
  chooseSweep,
  costOption,
  enginesOption,
  seedsOption,
  sweepArgument,
  workloadsOption,
} from "./sweep-choice.ts";

export const bench = () =>
  new Command("bench")
    .description("Run a sweep of points and write its tables and charts.")
    .addArgument(sweepArgument())
    .option("-o, --out <folder>", "folder for results", "results/latest")
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
    .addOption(costOption())
    .option("--resume", "go on where an interrupted run of the same sweep stopped", false)
    .addHelpText(
      "after",
      `
A point is one engine, workload, parameters, preset, levels, backing and seed. Same sweep, same bytes: any
number of workers, any machine. Only host.json differs between two runs.

Ctrl-C writes the results of the points that are finished, and keeps the journal for --resume. A kill, a crash of
the host and a full disk keep it too. One process at a time writes a folder.

Examples:
  npx shadewalk bench                                 bench/sweeps/default.yaml to results/latest/
  npx shadewalk bench quick --out /tmp/quick          a few seconds
  npx shadewalk bench --engines native,ept,shadow --workloads uniform
  npx shadewalk bench my-sweep.yaml --workers 8 --check`,
    )
    .action(async (name, options) => {
      const { out, workers, quiet, check, resume, cost } = options;
      const { sweep, points } = chooseSweep(name, options);
      const { machines } = sweep.sweep;
      const closeAccount = startHostClock(workers);
      const abort = new AbortController();
      process.once("SIGINT", () => abort.abort());

      const progress = pointsProgress(points, { unit: "points", quiet });
      const run = await runSweep({
        points,
        machines,
        out,
        workers,
        check,
        resume,
        signal: abort.signal,
        onFinished: ({ result, host }) => progress.onFinished(result.key, costOf(result, host)),
        onFailed: (message) => progress.onFailed(message),
        onWait: waiting,
      });
      progress.finish();
      const { finished, failures } = run;
      const state = `${finished.length} of ${points.length} points`;
      if (abort.signal.aborted) {
        console.error(`shadewalk: interrupted; ${state} are finished, --resume runs the rest`);
        process.exitCode = 130;
      } else if (failures.length > 0) {
        console.error(`shadewalk: ${failures.length} points failed; ${state} are finished`);
        process.exitCode = 1;
      }
      if (finished.length === 0) return run.close();
      const host = closeAccount(finished.map((one) => ({ id: one.result.key.id, ...one.host })));
      const kept = `${finished.length} finished points are kept in ${join(out, journalName)}`;
      const text = await writingInto(out, `${kept}: make room, then go on with --resume`, () =>
        publish({ folder: out, sweep, points, finished, check, cost, host }),
      );
      run.close();
      console.log(text);
    });
