/** `shadewalk fuzz`: random guests through all engines, every access under the oracle. */
import { writeFileSync } from "node:fs";
import { Command } from "@commander-js/extra-typings";
import { engineNames } from "../../bench/catalogue.ts";
import { fuzz as runFuzz, type FuzzOptions, fuzzPresets } from "../../bench/fuzz.ts";
import type { FuzzProgress, FuzzResult } from "../../bench/fuzz/hunt.ts";
import {
  fuzzMigrations,
  migratableEngines,
  type MigrationFuzzOptions,
} from "../../bench/migration/fuzz-migrations.ts";
import { createProgress } from "../progress.ts";
import { nameList, seedMax, wholeNumber } from "./options.ts";

export const fuzz = () =>
  new Command("fuzz")
    .description("Drive random guests through all engines at once and check every access.")
    .option("-s, --seed <n>", "decides every program", wholeNumber("--seed", 0, seedMax), 1)
    .option(
      "-n, --ops <n>",
      "guest operations in all, each run under every engine",
      wholeNumber("--ops", 1, 1e12),
      100_000,
    )
    .option(
      "--engines <names>",
      "only these, separated by commas",
      nameList("--engines", engineNames),
    )
    .option(
      "--presets <names>",
      "processors to draw from, separated by commas",
      nameList("--presets", Object.keys(fuzzPresets)),
    )
    .option("--migrations", "migrate each guest from a random point on; see `migrate`", false)
    .option("-o, --out <file>", "where a failure's trace goes", "fuzz-failure.trace")
    .option("-q, --quiet", "no progress on stderr", false)
    .addHelpText(
      "after",
      `
Guests misbehave: missing flushes, stores into live and freed tables, aliased tables, self-maps, split 2 MiB
pages, cleared A/D bits, reused PCIDs. A failure is shrunk to a short vmmu-trace 3 that replays:
  npx shadewalk run --trace fuzz-failure.trace --engine NAME --check

With --migrations each guest moves over a random link by pre-copy or post-copy, under every engine that has a
host, and every frame is compared at the end; its processors are made up for fuzzing.

Examples:
  npx shadewalk fuzz --seed 7 --ops 1000000
  npx shadewalk fuzz --migrations --engines ept-pml,ept-wp`,
    )
    .action(({ seed, ops, engines, presets, migrations, out, quiet }) => {
      const progress = createProgress({
        unit: "ops",
        count: ops,
        weight: ops,
        quiet,
        stream: process.stderr,
      });
      let seen = { ops: 0, checked: 0 };
      const isChosen = (name: string) => engines?.includes(name) ?? true;
      const onProgress = ({ ops: done, checked }: FuzzProgress) => {
        const count = done - seen.ops;
        progress.add({ count, weight: count, accesses: checked - seen.checked });
        seen = { ops: done, checked };
      };
      const { result, moved } = migrations
        ? runMigrations({ seed, ops, targets: pickBy(migratableEngines, isChosen), onProgress })
        : runGuests({
            seed,
            ops,
            engines: engineNames.filter(isChosen),
            presets: presets ?? Object.keys(fuzzPresets),
            onProgress,
          });
      progress.finish();
      const { failure, programs, checked } = result;
      console.log(
        `seed ${seed}: ${programs} programs, ${result.ops} ops, ${checked} accesses checked${moved}`,
      );
      if (failure === null) return;
      writeFileSync(out, failure.trace);
      console.log(`${failure.engine} on ${failure.preset} failed: ${failure.message}`);
      console.log(`${out}: ${failure.ops} ops that fail again`);
      process.exitCode = 1;
    });

function runGuests(options: FuzzOptions): { readonly result: FuzzResult; readonly moved: string } {
  return { result: runFuzz(options), moved: "" };
}

function runMigrations(options: MigrationFuzzOptions): ReturnType<typeof runGuests> {
  const result = fuzzMigrations(options);
  return { result, moved: `, ${result.migrations} migrations, ${result.pagesSent} pages sent` };
}

function pickBy<T>(
  registry: Readonly<Record<string, T>>,
  isChosen: (name: string) => boolean,
): Record<string, T> {
  return Object.fromEntries(Object.entries(registry).filter(([name]) => isChosen(name)));
}
