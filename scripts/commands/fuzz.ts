/** `shadewalk fuzz`: random guests through all engines, every access under the oracle. */
import { writeFileSync } from "node:fs";
import { Command } from "@commander-js/extra-typings";
import { engineNames } from "../../bench/catalogue.ts";
import { fuzz as runFuzz, fuzzPresets } from "../../bench/fuzz.ts";
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
    .option("-o, --out <file>", "where a failure's trace goes", "fuzz-failure.trace")
    .option("-q, --quiet", "no progress on stderr", false)
    .addHelpText(
      "after",
      `
Guests misbehave: missing flushes, stores into live and freed tables, aliased tables, self-maps, split 2 MiB
pages, cleared A/D bits, reused PCIDs. A failure is shrunk to a short vmmu-trace 3 that replays:
  npx shadewalk run --trace fuzz-failure.trace --engine NAME --check

Example:
  npx shadewalk fuzz --seed 7 --ops 1000000`,
    )
    .action(({ seed, ops, engines, presets, out, quiet }) => {
      const progress = createProgress({
        unit: "ops",
        count: ops,
        weight: ops,
        quiet,
        stream: process.stderr,
      });
      let seen = { ops: 0, checked: 0 };
      const result = runFuzz({
        seed,
        ops,
        engines: engineNames.filter((name) => engines?.includes(name) ?? true),
        presets: presets ?? Object.keys(fuzzPresets),
        onProgress(now) {
          const { ops: done, checked } = now;
          const count = done - seen.ops;
          progress.add({ count, weight: count, accesses: checked - seen.checked });
          seen = { ops: done, checked };
        },
      });
      progress.finish();
      const { failure, programs, checked } = result;
      console.log(
        `seed ${seed}: ${programs} programs, ${result.ops} ops, ${checked} accesses checked`,
      );
      if (failure === null) return;
      writeFileSync(out, failure.trace);
      console.log(`${failure.engine} on ${failure.preset} failed: ${failure.message}`);
      console.log(`${out}: ${failure.ops} ops that fail again`);
      process.exitCode = 1;
    });
