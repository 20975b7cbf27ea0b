/** `shadewalk run`: one point, its counts as a table or as JSON. */
import { Command } from "@commander-js/extra-typings";
import { baselineOf, catalogue } from "../../bench/points/catalogue.ts";
import { ConfigError, pick, quote } from "../../bench/input/config-error.ts";
import { vendorOf } from "../../bench/results/result.ts";
import { readParams } from "../../bench/points/params.ts";
import { type OneOutcome, runOne, type RunRequest } from "../../bench/points/run-one.ts";
import { perfTable } from "../../report/perf-shape.ts";
import { besideText } from "../beside-text.ts";
import { pointText } from "../point-text.ts";
import { engineFlag, enginesFlag, enginesGiven } from "./engine-options.ts";
import { lockFolder } from "../../bench/files/folder-lock.ts";
import { writingInto } from "../../bench/files/make-folder.ts";
import { waiting } from "../waiting.ts";
import { givenOptions, refuseGiven } from "./given.ts";
import { backingOption, levelsOption, seedOption } from "./point-options.ts";

export const run = () =>
  new Command("run")
    .description("Run one point, a workload or a trace, and print what it counted.")
    .addOption(enginesFlag("translation schemes; several are set side by side", "ept"))
    .addOption(engineFlag())
    .option("-w, --workload <name>", "guest program", "uniform")
    .option("-p, --param <name=value...>", "parameters of the workload, defaults for the rest")
    .option("-t, --trace <file>", "a trace instead of a workload; - is standard input")
    .option(
      "--populated",
      "with --trace: the host has backed all guest memory before (vmmu-trace)",
      false,
    )
    .option("--preset <name>", "processor", "skylake-sp")
    .addOption(backingOption())
    .addOption(levelsOption())
    .addOption(seedOption())
    .option("--check", "check every access against the oracle", false)
    .option("--json", "print the result as JSON", false)
    .option("-o, --out <folder>", "draw charts of several engines there")
    .option("--perf-shape", "print the exits as `perf kvm stat report` does", false)
    .addHelpText(
      "after",
      `
Counts are events, never times. Cycles come from the cost file of the preset (bench/costs/).
A trace is the program: it takes no workload and no parameters. What its header says of host pages and guest levels
holds; an option that says otherwise is refused. On bare metal (native) there is no host: --backing and the second
number of --levels only say what the run is to be compared with. Shadow tables are as deep as the guest's.
A trace may be vmmu-trace 1 to 4, the teaching dialect, valgrind lackey output, or text of Pin, DynamoRIO, gem5,
QEMU, perf, Dinero, or R and W lines; plain, .gz, .zst or .xz; its content decides (workloads/trace/FORMAT.md).

Examples:
  npx shadewalk run -e shadow --workload forkwait --param forks=50 pages=128
  npx shadewalk run -e shadow,ept -w forkwait               side by side with bare metal
  npx shadewalk run -e shadow,ept -w forkwait -o charts-of-run
  npx shadewalk run -e ept --workload uniform --levels 5-on-5 --check
  npx shadewalk run -e shadow-lazy --trace program.trace.xz
  zcat program.trace.gz | npx shadewalk run -e npt --trace - --json`,
    )
    .action(async (options, command) => {
      const { preset, check, trace, json, perfShape, out } = options;
      const engines = enginesGiven(options, "ept");
      if (perfShape) refuseGiven(command, ["json"], "cannot be printed together with --perf-shape");
      const { backing, levels, seed } = givenOptions(command, options);
      if (trace !== undefined) {
        const why = `is not used with --trace: ${quote(trace)} is the program`;
        refuseGiven(command, ["workload", "param"], why);
      }
      if (trace === undefined) {
        refuseGiven(command, ["populated"], "is used with --trace only; programs have usedMemory");
      }
      const { populated } = options;
      const program = trace === undefined ? workloadProgram(options) : { trace };
      const common = { preset, check, backing, levels, seed, program, populated };
      const [engine = "", ...others] = engines;
      if (others.length > 0) {
        const why = "takes one engine: exits of several are set side by side without it";
        refuseGiven(command, ["perfShape"], why);
        if (trace === "-") throw new ConfigError("--trace -: standard input runs under one engine");
        const lock = out === undefined ? null : await lockFolder({ folder: out, onWatch: waiting });
        const baseline = baselineOf(engines);
        const outcomes = await runBeside([...new Set([baseline, ...engines])], common);
        console.log(json ? JSON.stringify(outcomes, null, 1) : besideText(outcomes, baseline));
        if (out !== undefined) await draw(out, outcomes);
        lock?.release();
        return;
      }
      refuseGiven(command, ["out"], "draws several engines side by side: name two or more");
      const outcome = await runOne({ engine, ...common });
      if (perfShape) {
        for (const { name, ledger, cycles } of outcome.sections) {
          const about = `${name}, ${engine}, ${preset}`;
          const vendor = vendorOf({ preset, engine });
          console.log(perfTable(about, [{ counters: ledger, cycles }], vendor));
        }
        return;
      }
      console.log(json ? JSON.stringify(outcome, null, 1) : pointText(outcome));
    });

async function draw(folder: string, outcomes: readonly OneOutcome[]): Promise<void> {
  // What draws takes longer to load than most programs take to run.
  const { drawOutcomes } = await import("../draw-outcomes.ts");
  const kept = "the table above is all that is left";
  const files = await writingInto(folder, kept, () => drawOutcomes(folder, outcomes));
  console.error(`${folder}/charts/: ${files.length} files`);
}

/** Bare metal comes first: all others are set against it. */
async function runBeside(
  engines: readonly string[],
  common: Omit<RunRequest, "engine">,
): Promise<OneOutcome[]> {
  const outcomes: OneOutcome[] = [];
  for (const engine of engines) outcomes.push(await runOne({ engine, ...common }));
  return outcomes;
}

function workloadProgram({
  workload,
  param = [],
}: {
  workload: string;
  param?: readonly string[] | undefined;
}) {
  const source = pick(catalogue.workloads, workload, "workload");
  return { workload, params: readParams(source, param) };
}
