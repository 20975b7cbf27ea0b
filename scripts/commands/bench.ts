/** `shadewalk bench`: runs a sweep, writes its results, prints who won. */
import { availableParallelism } from "node:os";
import { Command } from "@commander-js/extra-typings";
import { catalogue } from "../../bench/catalogue.ts";
import { ConfigError } from "../../bench/config-error.ts";
import { fixedCost } from "../../bench/cost-file.ts";
import { startHostClock } from "../../bench/host-time.ts";
import { pointWeight } from "../../bench/point.ts";
import { runSweep } from "../../bench/run-sweep.ts";
import { readSweep } from "../../bench/sweep-files.ts";
import { filterPoints } from "../../bench/sweep.ts";
import { writeRun } from "../../bench/write-run.ts";
import { terminalTable } from "../../report/table.ts";
import { createProgress } from "../progress.ts";
import { nameList, numberList, seedMax, wholeNumber } from "./options.ts";

const tables = "points.csv, walks.csv, manifest.json, host.json";

export const bench = () =>
  new Command("bench")
    .description("Run a sweep of points and write its tables and charts.")
    .argument(
      "[sweep]",
      "a shipped sweep's name (see `list`) or the path of a YAML file",
      "default",
    )
    .option("-o, --out <folder>", "folder for results", "results/latest")
    .option(
      "-w, --workers <n>",
      "worker threads; results do not depend on it",
      wholeNumber("--workers", 1, 256),
      Math.max(1, availableParallelism()),
    )
    .option("-q, --quiet", "no progress on stderr", false)
    .option(
      "--engines <names>",
      "only these engines, separated by commas",
      nameList("--engines", Object.keys(catalogue.engines)),
    )
    .option(
      "--workloads <names>",
      "only these workloads, separated by commas",
      nameList("--workloads", Object.keys(catalogue.workloads)),
    )
    .option(
      "--seeds <numbers>",
      "instead of the sweep's seeds, where it repeats a point with several",
      numberList("--seeds", 0, seedMax),
    )
    .option("--check", "check every access against the oracle (about 20 times slower)", false)
    .option("--cost <file>", "price with this cost file instead of each preset's own")
    .option("--resume", "go on where an interrupted run of the same sweep stopped", false)
    .addHelpText(
      "after",
      `
A point is one engine, workload, parameters, preset, levels, backing and seed. Same sweep, same bytes: any
number of workers, any machine. Only host.json differs between two runs.

Ctrl-C writes the results of the points that are finished, and keeps the journal for --resume.

Examples:
  npx shadewalk bench                                 bench/sweeps/default.yaml to results/latest/
  npx shadewalk bench quick --out /tmp/quick          a few seconds
  npx shadewalk bench --engines native,ept,shadow --workloads uniform
  npx shadewalk bench my-sweep.yaml --workers 8 --check`,
    )
    .action(async (name, options) => {
      const { out, workers, quiet, check, resume, engines, workloads, seeds, cost } = options;
      const sweep = readSweep(name, catalogue, { seeds });
      const { machines } = sweep.sweep;
      const points = filterPoints(sweep.sweep.points, { engines, workloads });
      if (points.length === 0) throw new ConfigError(`sweep ${name}: the filters leave no point`);
      // A cost file that cannot be read is better known before the run than after it.
      if (cost !== undefined) fixedCost(cost);
      const closeAccount = startHostClock(workers);
      const abort = new AbortController();
      process.once("SIGINT", () => abort.abort());

      const progress = createProgress({
        unit: "points",
        count: points.length,
        weight: points.reduce((sum, key) => sum + pointWeight(key), 0),
        quiet,
        stream: process.stderr,
      });
      const run = await runSweep({
        points,
        machines,
        out,
        workers,
        check,
        resume,
        signal: abort.signal,
        onFinished({ result: { key, regions } }) {
          const accesses = regions.setup.ledger.accesses + regions.measured.ledger.accesses;
          progress.add({ count: 1, weight: pointWeight(key), accesses });
        },
        onFailed: (message) => progress.note(`shadewalk: ${message}`),
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
      const rows = await writeRun({
        folder: out,
        sweep,
        points,
        finished,
        check,
        cost,
        host: closeAccount(finished.map(({ result, host }) => ({ id: result.key.id, ...host }))),
      });
      // Loaded now, because drawing is a third of what the command line loads and only this needs it.
      const { renderCharts } = await import("../../report/render.ts");
      const pictures = await renderCharts({ folder: out, rows });
      run.close();
      console.log(terminalTable(rows.points, terminal()));
      console.log(
        `${finished.length} points in ${out}/: ${tables}, ${pictures.length} chart files`,
      );
    });

function terminal(): { readonly columns: number; readonly colour: boolean } {
  const { stdout } = process;
  const colour = stdout.isTTY && stdout.hasColors();
  // A pipe or a log has no width; most readers are wider than a terminal of old.
  return { columns: stdout.columns || 120, colour };
}
