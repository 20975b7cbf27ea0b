/** `shadewalk migrate`: moves a running guest to another host, and says what that took. */
import { availableParallelism } from "node:os";
import { Command } from "@commander-js/extra-typings";
import { catalogue } from "../../bench/points/catalogue.ts";
import { ConfigError, Interrupted, pick } from "../../bench/input/config-error.ts";
import { hashFile } from "../../bench/files/result-files.ts";
import { levelsOf } from "../../bench/points/levels.ts";
import { engineProblem, loggingEngines } from "../../host/migration/engines.ts";
import { lockFolder } from "../../bench/files/folder-lock.ts";
import { writingInto } from "../../bench/files/make-folder.ts";
import { migrationTables, writeMigrations } from "../../host/migration/migration-files.ts";
import { migrationSweepNames, readMigrationSweep } from "../../host/migration/migration-sweep.ts";
import { migrationModes } from "../../bench/results/migration-record.ts";
import { runMigrations } from "../../host/migration/run-migrations.ts";
import { fullSettings } from "../../host/migration/settings-schema.ts";
import { scaledLoad } from "../../host/migration/asked-load.ts";
import { clockOf } from "../../host/migration/clocks.ts";
import { presetCosts } from "../../bench/costs/cost-file.ts";
import { bitsPerSecond, bytes, bytesPerSecond, milliseconds } from "../../host/migration/units.ts";
import { fullParams, readParams } from "../../bench/points/params.ts";
import type { MigrationKey, MigrationResult } from "../../bench/results/result.ts";
import type { SweepMachine } from "../../bench/sweeps/sweep.ts";
import { migrationCharts } from "../../report/charts/migration-charts.ts";
import { verdictLines } from "../../report/migration-verdict.ts";
import { migrationText } from "../../report/migration-table.ts";
import { drawCharts } from "../../report/render.ts";
import { pointsProgress } from "../points-progress.ts";
import { waiting } from "../waiting.ts";
import { otherNames, refuseGiven, type Words } from "./given.ts";
import { engineFlag, enginesFlag, enginesGiven } from "./engine-options.ts";
import { oneOf, quantity, wholeNumber } from "./options.ts";
import { backingOption, jsonOption, levelsOption, seedOption } from "./point-options.ts";

const percent = (option: string, max = 99) => wholeNumber(option, 0, max);

const createCommand = () =>
  new Command("migrate")
    .description("Migrate a running guest to another host: pre-copy or post-copy over a link.")
    .addOption(enginesFlag("translation schemes, separated by commas", "ept-pml"))
    .addOption(engineFlag())
    .option("-w, --workload <name>", "guest program", "hot-write")
    .option("-p, --param <name=value...>", "parameters of the workload, defaults for the rest")
    .option(
      "--dirty-rate <rate>",
      "instead of a workload: a guest that writes so much a second",
      quantity("--dirty-rate", bytesPerSecond),
    )
    .option("--memory <size>", "of that guest (default: 16G)", quantity("--memory", bytes))
    .option(
      "--working-set <size>",
      "part of it that is written (default: a quarter)",
      quantity("--working-set", bytes),
    )
    .option("--preset <name>", "processor", "skylake-sp")
    .addOption(backingOption())
    .addOption(levelsOption())
    .addOption(seedOption())
    .option("--mode <mode>", "precopy or postcopy", oneOf("--mode", migrationModes), "precopy")
    .option("--bandwidth <rate>", "of the link", quantity("--bandwidth", bitsPerSecond), 10e9)
    .option("--downtime <time>", "limit for pre-copy's stop", quantity("--downtime", milliseconds))
    .option(
      "--bandwidth-window <time>",
      "how long the link is measured before the limit means anything",
      quantity("--bandwidth-window", milliseconds),
    )
    .option("--auto-converge", "slow the guest down while it dirties faster than is sent", false)
    .option("--throttle-initial <percent>", "first step", percent("--throttle-initial"))
    .option("--throttle-increment <percent>", "further steps", percent("--throttle-increment"))
    .option("--throttle-max <percent>", "last step", percent("--throttle-max"))
    .option(
      "--throttle-period <time>",
      "between two looks at the dirty rate",
      quantity("--throttle-period", milliseconds),
    )
    .option("--no-zero-pages", "send pages of zeros in full")
    .option(
      "--postcopy-after <rounds>",
      "post-copy: rounds of pre-copy before the guest moves",
      wholeNumber("--postcopy-after", 0, 1000),
    )
    .option(
      "--round-trip <time>",
      "post-copy: request to answer, beside the page itself",
      quantity("--round-trip", milliseconds),
    )
    .option("--start <percent>", "of the program, before the migration", percent("--start", 100))
    .option("--check", "check every access against the oracle", false)
    .option("--sweep <name>", "a declared sweep instead: a shipped name or a YAML file")
    .option(
      "--workers <n>",
      "worker threads; results do not depend on it",
      wholeNumber("--workers", 1, 256),
      Math.max(1, availableParallelism()),
    )
    .option("-o, --out <folder>", "write tables and charts there")
    .option("-q, --quiet", "no progress on stderr", false)
    .addOption(jsonOption("every migration, round by round,"))
    .addHelpText("after", helpText);

const helpText = `
Simulated time is the guest's priced cycles at the clock of the preset; what the link has sent follows from it.
At the end every frame's data version and bytes are compared at both ends: a lost write is an error that names
the frame. The rule to stop and all defaults are QEMU's: downtime 300ms, bandwidth window 100ms, throttle 20 %
first, 10 % more, 99 % at most, a look every 1s.

Engines with a dirty log, which pre-copy needs: ${loggingEngines.join(", ")}
Sweeps: ${migrationSweepNames().join(", ")}

With --dirty-rate memory and times are run smaller by one factor and shown in full; rates are what was asked for.

Examples:
  npx shadewalk migrate -e ept-pml,ept-wp --dirty-rate 800MB/s --memory 64G --working-set 4G --backing 2m
  npx shadewalk migrate -e ept-pml -w key-value --bandwidth 10Gbit --downtime 300ms
  npx shadewalk migrate -e ept-pml,ept-wp -w hot-write --bandwidth 40Gbit --downtime 1ms --bandwidth-window 0ms
  npx shadewalk migrate -w hot-write --auto-converge --throttle-period 1ms --out /tmp/migration
  npx shadewalk migrate -e ept-wp@ept,pvm@ept -w hot-write      a guest in a guest, moved by L1
  npx shadewalk migrate --sweep migration --out results/migration`;

type MigrateOptions = ReturnType<ReturnType<typeof createCommand>["opts"]>;

interface Asked {
  /** What memory and times were divided by. */
  readonly shrink: number;
  readonly points: readonly MigrationKey[];
  readonly machines: Readonly<Record<string, SweepMachine>>;
  readonly config: unknown;
  /** Files that were read. */
  readonly files: readonly (readonly [name: string, path: string])[];
}

export const migrate = () =>
  createCommand().action(async (options, command) => {
    const { workers, check, quiet, out, sweep, json } = options;
    refuseUnused(command, options);
    const { points, machines, config, files, shrink } =
      sweep === undefined ? askedOf(options) : sweepOf(sweep);
    const lock = out === undefined ? null : await lockFolder({ folder: out, onWatch: waiting });
    const abort = new AbortController();
    process.once("SIGINT", () => abort.abort());
    const progress = pointsProgress(points, { unit: "migrations", quiet });
    const results = await runMigrations({
      points,
      machines,
      workers,
      check,
      signal: abort.signal,
      onFinished: ({ key, accesses }) => progress.onFinished(key, { accesses, milliseconds: null }),
    });
    progress.finish();
    if (results.length < points.length) throw new Interrupted("migrate: interrupted");
    if (json) console.log(JSON.stringify({ shrink: shrink || 1, migrations: results }, null, 1));
    else console.log(migrationOutput(results, { shrink, columns: process.stdout.columns || 160 }));
    if (out === undefined) return;
    const inputs = await Promise.all(files.map(([name, path]) => hashFile(name, path)));
    const pictures = await writingInto(out, "the table above is all that is left", async () => {
      await writeMigrations({ folder: out, results, config, inputs });
      return drawCharts(out, migrationCharts(results));
    });
    lock?.release();
    if (!json)
      console.log(`\n${out}/: ${migrationTables.join(", ")}, ${pictures.length} chart files`);
  });

/** A table for what was run, words for what was asked in rates and sizes. */
function migrationOutput(
  results: readonly MigrationResult[],
  { shrink, columns }: { readonly shrink: number; readonly columns: number },
): string {
  if (shrink === 0) return migrationText(results, columns);
  return verdictLines(results, { shrink, columns });
}

/** A sweep says everything itself, each mode has options of its own, and only auto-converge slows anybody down. */
function refuseUnused(command: Words, options: MigrateOptions): void {
  const { sweep, mode, autoConverge, postcopyAfter } = options;
  const runOptions = ["workers", "check", "quiet", "out", "sweep", "json"];
  if (sweep !== undefined) {
    refuseGiven(command, otherNames(command, runOptions), "is not used with --sweep");
    return;
  }
  if (options.dirtyRate === undefined) {
    refuseGiven(command, ["memory", "workingSet"], "is not used without --dirty-rate");
  } else {
    refuseGiven(command, ["workload", "param", "start"], "is not used with --dirty-rate");
  }
  if (!autoConverge) {
    const throttle = ["throttleInitial", "throttleIncrement", "throttleMax", "throttlePeriod"];
    refuseGiven(command, throttle, "is not used without --auto-converge");
  }
  if (mode === "precopy") {
    refuseGiven(command, ["postcopyAfter", "roundTrip"], "is not used with --mode precopy");
  } else if (postcopyAfter === 0) {
    const rounds = ["downtime", "bandwidthWindow", "autoConverge"];
    refuseGiven(command, rounds, "is not used with --postcopy-after 0, which has no rounds");
  }
}

function sweepOf(nameOrPath: string): Asked {
  const { name, path, points, machines, declared } = readMigrationSweep(nameOrPath, catalogue);
  return {
    shrink: 0,
    points,
    machines,
    config: declared,
    files: [[`sweep ${name}`, path]],
  };
}

function askedOf(options: MigrateOptions): Asked {
  const engines = enginesGiven(options, "ept-pml");
  const { preset, backing, levels, seed } = options;
  const { workload, params, migration, shrink } = programOf(options);
  const points = engines.map((engine, id): MigrationKey => {
    const problem = engineProblem(engine, migration);
    if (problem !== undefined) throw new ConfigError(`--engines ${problem}`);
    const host = { preset, backing, ...levelsOf(levels), seed };
    return { id, engine, workload, params, ...host, migration };
  });
  const like = { preset: pick(catalogue.presets, preset, "preset"), like: preset };
  return {
    shrink,
    points,
    machines: { [preset]: like },
    config: { engines, migration },
    files: [],
  };
}

const memoryUsual = 16 * 2 ** 30;

interface Program extends Pick<MigrationKey, "workload" | "params" | "migration"> {
  /** 0: the program is run as it is. */
  readonly shrink: number;
}

/** A workload by name, or the steady writer that a rate asks for. */
function programOf(options: MigrateOptions): Program {
  const { workload, param = [], preset, dirtyRate, memory = memoryUsual, workingSet } = options;
  const migration = fullSettings(options);
  if (dirtyRate === undefined) {
    const params = readParams(pick(catalogue.workloads, workload, "workload"), param);
    return { workload, params, migration, shrink: 0 };
  }
  const load = {
    dirtyBytesPerSecond: dirtyRate,
    memoryBytes: memory,
    workingSetBytes: workingSet ?? memory / 4,
  };
  const scaled = scaledLoad(load, migration, clockOf(presetCosts()(preset).name));
  const name = "steady-writer";
  const params = fullParams(pick(catalogue.workloads, name, "workload"), scaled.params);
  return { workload: name, params, migration: scaled.settings, shrink: scaled.shrink };
}
