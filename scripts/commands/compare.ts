/** `shadewalk compare`: the exact difference of two results. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { readResults } from "../../bench/files/read-results.ts";
import { ConfigError, quote } from "../../bench/input/config-error.ts";
import { differenceOf, isDifferent } from "../../report/difference.ts";
import { differenceText } from "../difference-text.ts";
import { wholeNumber } from "./options.ts";

export const compare = () =>
  new Command("compare")
    .description("Compare two folders of results: which counts moved, which winners changed.")
    .argument("<before>", "a folder that `bench` wrote")
    .argument("<after>", "another")
    .option("--lines <n>", "at most so many of each kind", wholeNumber("--lines", 1, 1e6), 20)
    .option("--json", "print all of it as JSON", false)
    .addHelpText(
      "after",
      `
Counts are deterministic, so the comparison is exact: no threshold, no noise. A point is known by what was run, not
by its place in the sweep. Exit code 0: the same counts, walks and cycles. Exit code 1: a difference.

Example, in continuous integration:
  npx shadewalk bench quick --quiet --out new
  npx shadewalk compare baseline new`,
    )
    .action(async (before, after, { lines, json }) => {
      for (const folder of [before, after]) {
        if (!existsSync(join(folder, "points.csv"))) {
          throw new ConfigError(
            `results ${quote(folder)}: no points.csv; \`shadewalk bench\` writes it`,
          );
        }
      }
      const difference = differenceOf(await readResults(before), await readResults(after));
      const isMoved = isDifferent(difference);
      if (isMoved) process.exitCode = 1;
      if (json) console.log(JSON.stringify(difference, null, 1));
      else console.log(isMoved ? differenceText(difference, lines) : "no difference");
    });
