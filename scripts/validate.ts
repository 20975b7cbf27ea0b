#!/usr/bin/env node
/**
 * `npm run validate`: our engines against the counts of real kernels.
 *
 * Exit codes: 0 every value agrees, 1 some differ, 2 wrong usage or a folder that is no ground truth.
 */
import { availableParallelism } from "node:os";
import { Command } from "@commander-js/extra-typings";
import { type PlacedDifference, validate } from "../claims/validation/validate.ts";
import { ConfigError, quote } from "../bench/input/config-error.ts";
import { printKvmBeside } from "../claims/validation/kvm-beside.ts";
import { listExits } from "../claims/validation/list-exits.ts";
import { refuseGiven } from "./commands/given.ts";
import { errorReport } from "./error-report.ts";
import { guardOutput } from "./guard-output.ts";
import { printExperiments } from "./experiments.ts";
import { publishedFolder, runPublished } from "./published.ts";

/** Differences listed; the rest is only counted. */
const listedMax = 40;
const defaultFolder = new URL("../results/groundtruth", import.meta.url).pathname;

guardOutput("validate");

const program = new Command("validate")
  .description("Replay ground-truth traces through the engines and compare every count.")
  .option(
    "--dir <folder>",
    "a folder with traces/ and expected.csv.gz, or of such folders",
    defaultFolder,
  )
  .option("--trace <file>", "replay this trace alone and list its exits (with --exits)")
  .option(
    "--exits [list]",
    "with --trace: the exits in order, beside those of a list (ours, or kvm_exit of perf) up to the first difference",
  )
  .option(
    "--kvm <folder>",
    "with --trace: a real machine's exits, recorded by scripts/kvm-compare, beside those of the trace",
  )
  .option("--port <hex>", "with --kvm: where the guest tells its phases", hexPort, 0x511)
  .option("--engine <name>", "with --trace: whose exits (kvm-6.1; with --kvm: the host's KVM)")
  .option("--published", "run the published claims instead, into results/published", false)
  .option(
    "--paper <ids>",
    "with --published: only claims on rows whose ids begin so (AA06,PV23-03), on the terminal alone",
  )
  .option(
    "--experiments",
    "with --published: missed claims once more, each with one thing changed: how their causes were tested",
    false,
  )
  .exitOverride()
  .configureOutput({ outputError: () => undefined });

try {
  const { dir, published, paper, experiments, trace, exits, engine, kvm, port } = program
    .parse()
    .opts();
  if (published) refuseGiven(program, ["dir"], "is not used with --published");
  else refuseGiven(program, ["paper", "experiments"], "is used with --published only");
  if (published && experiments) printExperiments(paper ?? null);
  else if (published) process.exitCode = await runPublished(publishedFolder, paper ?? null);
  else if (trace !== undefined && kvm !== undefined) {
    refuseGiven(program, ["exits"], "is not used with --kvm");
    const agrees = await printKvmBeside({ trace, folder: kvm, engine, port, print });
    process.exitCode = agrees ? 0 : 1;
  } else if (trace !== undefined) {
    refuseGiven(program, ["port"], "is used with --kvm only");
    const list = typeof exits === "string" ? exits : null;
    const agrees = await listExits({ trace, engine: engine ?? "kvm-6.1", list, print });
    process.exitCode = agrees ? 0 : 1;
  } else {
    refuseGiven(program, ["exits", "engine", "kvm", "port"], "is used with --trace only");
    await validateTraces(dir);
  }
} catch (error) {
  const { text, exitCode } = errorReport(error);
  if (text !== "") console.error(text);
  process.exitCode = exitCode;
}

function print(text: string): void {
  console.log(text);
}

function hexPort(text: string): number {
  if (/^(?:0x)?[\da-f]{1,4}$/i.test(text)) return Number.parseInt(text, 16);
  throw new ConfigError(`--port ${quote(text)}: allowed: 0 to ffff, hexadecimal`);
}

async function validateTraces(dir: string): Promise<void> {
  const onTrace = (done: number, total: number) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done}/${total} traces`);
  };
  const result = await validate(dir, { workers: availableParallelism(), onTrace });
  if (process.stderr.isTTY) process.stderr.write("\n");
  for (const note of result.notes) console.log(`not compared: ${note}`);
  for (const { mode, below, within, above } of result.cold) {
    console.log(
      `not exact (${mode}): ${within} values within the measured range, ${below} below, ${above} above`,
    );
  }
  for (const difference of result.differences.slice(0, listedMax)) console.log(line(difference));
  const unlisted = result.differences.length - listedMax;
  if (unlisted > 0) console.log(`and ${unlisted} more`);
  console.log(`${result.compared} values compared, ${result.differences.length} differ`);
  process.exitCode = result.differences.length === 0 ? 0 : 1;
}

function line({ trace, kernel, mode, phase, counter, expected, got }: PlacedDifference): string {
  const value = got === null ? "no such phase" : String(got);
  return `${trace} (${kernel} ${mode}), ${phase}, ${counter}: expected ${expected}, got ${value}`;
}
