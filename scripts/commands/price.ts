/** `shadewalk price`: prices the counters of a points file anew, without a run. */
import { basename, dirname, join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { costPresets, fixedCost } from "../../bench/costs/cost-file.ts";
import { writingInto } from "../../bench/files/make-folder.ts";
import { reprice } from "../../bench/costs/price-rows.ts";
import { readPoints } from "../../bench/files/read-results.ts";
import { writePointsFile } from "../../bench/files/result-files.ts";
import { differenceOf, isDifferent } from "../../report/difference.ts";
import { consequences } from "../difference-text.ts";

/** Of means and of winners. */
const linesMax = 40;

export const price = () =>
  new Command("price")
    .description("Price the counters of a points file anew, without any run.")
    .argument("<points>", "a points.csv that `bench` wrote")
    .requiredOption("--cost <file>", `a cost file, or one of ${costPresets.join(", ")}`)
    .option("-o, --out <file>", "where to write (default: beside the input, as points-COST.csv)")
    .addHelpText(
      "after",
      `
Counts do not change, cycles and slowdowns do. A cost file gives cycles per event, each with its source;
copy one from bench/costs/ and change it to ask what if.

Example:
  npx shadewalk price results/latest/points.csv --cost nehalem`,
    )
    .action(async (points, { cost, out }) => {
      const costFor = fixedCost(cost);
      const before = await readPoints(points);
      const rows = reprice(before, costFor);
      const name = rows[0]?.cost ?? "priced";
      const path = out ?? join(dirname(points), `points-${name}.csv`);
      await writingInto(dirname(path), "the counts are where they were", () =>
        writePointsFile(dirname(path), basename(path), rows),
      );
      const difference = differenceOf({ points: before, walks: [] }, { points: rows, walks: [] });
      const said = consequences(difference, linesMax).filter((text) => text !== "");
      const moved = isDifferent(difference)
        ? said.map((text) => `\n\n${text}`).join("")
        : ": nothing moved";
      console.log(`${path}: ${rows.length} rows priced by ${name}${moved}`);
    });
