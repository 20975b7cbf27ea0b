/** `shadewalk why`: runs the curated experiments, prints the answer, writes its evidence. */
import { availableParallelism } from "node:os";
import { Command } from "@commander-js/extra-typings";
import { pointWeight } from "../../bench/point.ts";
import { experiments } from "../../bench/why/index.ts";
import { planOf, runWhy } from "../../bench/why/run-why.ts";
import { writeAnswer } from "../../bench/why/write-answer.ts";
import { answerCharts, answerMarkdown, answerText } from "../../report/answer.ts";
import { drawCharts } from "../../report/render.ts";
import { createProgress } from "../progress.ts";
import { nameList, wholeNumber } from "./options.ts";

export const why = () =>
  new Command("why")
    .description("Say why EPT beat shadow paging and when it did not, with evidence from a run.")
    .option("-o, --out <folder>", "folder for the answer and its evidence", "results/why")
    .option(
      "-w, --workers <n>",
      "worker threads; the answer does not depend on it",
      wholeNumber("--workers", 1, 256),
      Math.max(1, availableParallelism()),
    )
    .option(
      "--only <names>",
      "only these experiments, separated by commas",
      nameList("--only", Object.keys(experiments)),
    )
    .option("-q, --quiet", "no progress on stderr", false)
    .addHelpText(
      "after",
      `
Every number printed is counted by this run. A claim that the run does not bear out is printed as such.

Experiments: ${Object.keys(experiments).join(", ")}

Examples:
  npx shadewalk why
  npx shadewalk why --only frontier,ablation --out /tmp/why`,
    )
    .action(async ({ out, workers, only, quiet }) => {
      const chosen = Object.fromEntries(
        Object.entries(experiments).filter(([name]) => only?.includes(name) ?? true),
      );
      const { points } = planOf(chosen);
      const abort = new AbortController();
      process.once("SIGINT", () => abort.abort());
      const progress = createProgress({
        unit: "points",
        count: points.length,
        weight: points.reduce((sum, key) => sum + pointWeight(key), 0),
        quiet,
        stream: process.stderr,
      });
      const { findings, rows } = await runWhy({
        experiments: chosen,
        out,
        workers,
        signal: abort.signal,
        onFinished({ result: { key, regions } }) {
          const accesses = regions.setup.ledger.accesses + regions.measured.ledger.accesses;
          progress.add({ count: 1, weight: pointWeight(key), accesses });
        },
      });
      progress.finish();
      const files = await writeAnswer(out, findings, answerMarkdown(findings));
      const pictures = await drawCharts(out, answerCharts(findings, rows));
      console.log(answerText(findings, process.stdout.columns || 120));
      const tables = [...files, "points.csv", "walks.csv", "manifest.json"];
      console.log(`\n${out}/: ${tables.join(", ")}, ${pictures.length} chart files`);
      if (findings.some(({ checks }) => checks.some(({ holds }) => !holds))) process.exitCode = 1;
    });
