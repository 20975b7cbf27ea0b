/** `shadewalk fuzz`: random guests through all engines, every access under the oracle. */
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parse } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { engineNamed, engineNames } from "../../bench/points/catalogue.ts";
import { otherIsaOf, refuseOtherIsa } from "../../bench/points/point-problem.ts";
import { ConfigError } from "../../bench/input/config-error.ts";
import { fuzz as runFuzz, type FuzzOptions, fuzzPresets } from "../../check/fuzz/fuzz.ts";
import { folderFor } from "../../bench/files/make-folder.ts";
import type { FuzzFailure, FuzzResult } from "../../check/fuzz/hunt.ts";
import {
  fuzzMigrations,
  migratable,
  migratableEngines,
  type MigrationFuzzOptions,
  type MigrationFuzzResult,
} from "../../host/fuzz/fuzz-migrations.ts";
import { createFuzzProgress } from "../fuzz-progress.ts";
import { runPolicyFuzz } from "../fuzz-policies.ts";
import { runLives } from "../fuzz-lives.ts";
import { runFuzzSeeds } from "../fuzz-seeds.ts";
import { refuseGiven } from "./given.ts";
import { nameList, seedMax, wholeNumber } from "./options.ts";

const examples = `
Guests misbehave: missing flushes, stores into live and freed tables, aliased tables, self-maps, split 2 MiB
pages, cleared A/D bits, reused PCIDs. A failure is shrunk to a short vmmu-trace 3 that replays:
  npx shadewalk run --trace fuzz-failure.trace --engine NAME --check

With --migrations each guest moves over a random link by pre-copy or post-copy, under every engine that has a
host, and every frame is compared at the end; its processors are made up for fuzzing.

Engines of RISC-V and Arm have guests that write no x86-64 entries: random lives of the guest's own kernel.

With --seeds each seed has --ops operations of guests that stay, each beside a clone of itself too, and a tenth as
many of guests that migrate. A seed that fails stops, the others go on.

Examples:
  npx shadewalk fuzz --seed 7 --ops 1000000
  npx shadewalk fuzz --seeds 200 --ops 100000 --workers 2
  npx shadewalk fuzz --migrations --engines ept-pml,ept-wp
  npx shadewalk fuzz --migrations --engines ept-wp@ept       a guest in a guest, moved by L1
  npx shadewalk fuzz --engines riscv-h,arm-s2 --ops 2000
  npx shadewalk fuzz --policies --seed 3 --ops 20000`;

const createCommand = () =>
  new Command("fuzz")
    .description("Drive random guests through all engines at once and check every access.")
    .option(
      "-s, --seed <n>",
      "decides every program; 1 if absent",
      wholeNumber("--seed", 0, seedMax),
    )
    .option(
      "-n, --ops <n>",
      "guest operations in all, each run under every engine; with --seeds, for each seed",
      wholeNumber("--ops", 1, 1e12),
      100_000,
    )
    .option(
      "--seeds <n>",
      "a long run: this many seeds, drawn from --seed or fresh",
      wholeNumber("--seeds", 1, 1e6),
    )
    .option(
      "-w, --workers <n>",
      "worker threads of a long run; all processors if absent",
      wholeNumber("--workers", 1, 256),
    )
    .option(
      "--engines <names>",
      "only these, separated by commas; A@B is A in a guest of B's",
      engineList,
    )
    .option(
      "--presets <names>",
      "processors to draw from, separated by commas",
      nameList("--presets", Object.keys(fuzzPresets)),
    )
    .option("--migrations", "migrate each guest from a random point on; see `migrate`", false)
    .option(
      "--policies",
      "random rules on each guest's memory, all schemes that enforce any",
      false,
    )
    .option("-o, --out <file>", "where a failure's trace goes", "fuzz-failure.trace")
    .option("-q, --quiet", "no progress on stderr", false)
    .addHelpText("after", examples);

type Options = ReturnType<ReturnType<typeof createCommand>["opts"]>;

export const fuzz = () =>
  createCommand().action(async (options, words) => {
    if (options.policies) {
      const others = ["seeds", "workers", "engines", "presets", "migrations", "out"] as const;
      refuseGiven(words, others, "with --policies it would change nothing");
      const { seed = 1, ops, quiet } = options;
      if (!runPolicyFuzz({ seed, ops, quiet })) process.exitCode = 1;
      return;
    }
    if (options.engines?.every((name) => otherIsaOf(name) !== undefined) === true) {
      const others = ["seeds", "workers", "migrations", "out"] as const;
      refuseGiven(words, others, "guests of another ISA than x86-64 live one after another");
      const { seed = 1, ops, engines, quiet, presets = Object.keys(fuzzPresets) } = options;
      if (!runLives({ seed, ops, engines, presets, quiet })) process.exitCode = 1;
      return;
    }
    refuseContradictions(options);
    folderFor(options.out);
    if (options.seeds === undefined) runOneSeed(options);
    else await runLong(options, options.seeds);
  });

/** An option that would change nothing is a mistake. */
function refuseContradictions(options: Options): void {
  const { seeds, workers, migrations, presets, engines } = options;
  if (seeds === undefined && workers !== undefined) {
    throw new ConfigError("--workers: one seed runs on one thread; allowed with --seeds only");
  }
  const made = chosenEngines({ engines }).find((name) => name.includes("@"));
  if (made !== undefined && seeds !== undefined) {
    throw new ConfigError(`--engines ${made}: guests of guests share no pages here`);
  }
  if (!migrations) return;
  if (seeds !== undefined) {
    throw new ConfigError("--migrations: --seeds migrates guests anyway; allowed: one of the two");
  }
  if (presets !== undefined) {
    throw new ConfigError("--presets: with --migrations processors are made up for fuzzing");
  }
  if (Object.keys(migratable(chosenEngines(options))).length === 0) {
    const allowed = Object.keys(migratableEngines).join(", ");
    throw new ConfigError(`--migrations: no engine of --engines has a host. Allowed: ${allowed}`);
  }
}

function chosenEngines({
  engines,
}: {
  readonly engines?: string[] | undefined;
}): readonly string[] {
  return engines ?? engineNames;
}

/** Names of the registry, each once and in its order, then those made of two. */
function engineList(text: string): string[] {
  const names = new Set(text.split(",").map((name) => name.trim()));
  for (const name of names) engineNamed(name);
  if ([...names].every((name) => otherIsaOf(name) !== undefined)) return [...names];
  for (const name of names) refuseOtherIsa(name, "the fuzzer's others write entries of x86-64");
  const simple = engineNames.filter((name) => names.has(name));
  return [...new Set<string>([...simple, ...names])];
}

async function runLong(options: Options, count: number): Promise<void> {
  const { name, ext, dir } = parse(options.out);
  const failures = await runFuzzSeeds({
    from: options.seed ?? randomInt(seedMax),
    count,
    ops: options.ops,
    engines: chosenEngines(options),
    presets: options.presets ?? Object.keys(fuzzPresets),
    workers: options.workers ?? Math.max(1, availableParallelism()),
    quiet: options.quiet,
    fileOf: (seed, part) => `${dir === "" ? "" : `${dir}/`}${name}-${seed}${part}${ext}`,
  });
  if (failures > 0) process.exitCode = 1;
}

function runOneSeed(options: Options): void {
  const { seed = 1, ops, presets, migrations, out, quiet } = options;
  const { progress, onProgress } = createFuzzProgress(ops, quiet);
  if (!quiet) progress.note(`seed ${seed}`);
  const engines = chosenEngines(options);
  const { result, moved } = migrations
    ? runMigrations({ seed, ops, targets: migratable(engines), onProgress })
    : runGuests({ seed, ops, engines, presets: presets ?? Object.keys(fuzzPresets), onProgress });
  progress.finish();
  const { failure, programs, checked } = result;
  console.log(
    `seed ${seed}: ${programs} programs, ${result.ops} ops, ${checked} accesses checked${moved}`,
  );
  if (failure === null) return;
  writeFileSync(out, failure.trace);
  console.log(failureText(failure, out));
  process.exitCode = 1;
}

/** Two lines that say what failed and where its trace is. */
function failureText({ engine, preset, message, ops }: FuzzFailure, file: string): string {
  return `${engine} on ${preset} failed: ${message}\n${file}: ${ops} ops that fail again`;
}

function runGuests(options: FuzzOptions): { readonly result: FuzzResult; readonly moved: string } {
  return { result: runFuzz(options), moved: "" };
}

function runMigrations(options: MigrationFuzzOptions): ReturnType<typeof runGuests> {
  const result = fuzzMigrations(options);
  return { result, moved: `, ${movedText(result)}` };
}

function movedText({ migrations, pagesSent }: MigrationFuzzResult): string {
  return `${migrations} migrations, ${pagesSent} pages sent`;
}
