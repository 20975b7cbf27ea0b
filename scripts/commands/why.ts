/** `shadewalk why`: runs the curated experiments, prints the answer, writes its evidence. */
import { availableParallelism } from "node:os";
import { Command } from "@commander-js/extra-typings";
import { pick } from "../../bench/config-error.ts";
import { pointWeight } from "../../bench/point.ts";
import { defaultTopic, topics } from "../../bench/why/index.ts";
import type { Topic } from "../../bench/why/topic.ts";
import { planOf, runWhy } from "../../bench/why/run-why.ts";
import { writeAnswer } from "../../bench/why/write-answer.ts";
import { answerCharts, answerMarkdown, answerText } from "../../report/answer.ts";
import { drawCharts } from "../../report/render.ts";
import { createProgress } from "../progress.ts";
import { nameList, oneOf, wholeNumber } from "./options.ts";

export const why = () =>
  new Command("why")
    .description("Say why EPT beat shadow paging and when it did not, with evidence from a run.")
    .option(
      "-t, --topic <name>",
      "the question",
      oneOf("--topic", Object.keys(topics)),
      defaultTopic,
    )
    .option(
      "-o, --out <folder>",
      `folder for the answer and its evidence (default: results/why, or results/why-TOPIC)`,
    )
    .option(
      "-w, --workers <n>",
      "worker threads; the answer does not depend on it",
      wholeNumber("--workers", 1, 256),
      Math.max(1, availableParallelism()),
    )
    .option("--only <names>", "only these experiments of the topic, separated by commas")
    .option("-q, --quiet", "no progress on stderr", false)
    .addHelpText(
      "after",
      `
Every number printed is counted by this run. A claim that the run does not bear out is printed as such.

Topics and their experiments:
${Object.entries(topics)
  .map(([name, { experiments }]) => `  ${name}: ${Object.keys(experiments).join(", ")}`)
  .join("\n")}

Examples:
  npx shadewalk why
  npx shadewalk why --only frontier,ablation --out /tmp/why`,
    )
    .action(async ({ topic, workers, quiet, ...options }) => {
      const { title, experiments } = pick(topics, topic, "--topic");
      const out = options.out ?? (topic === defaultTopic ? "results/why" : `results/why-${topic}`);
      const chosen = chosenOf(experiments, options.only);
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
      const files = await writeAnswer(out, findings, answerMarkdown(title, findings));
      const pictures = await drawCharts(out, answerCharts(findings, rows));
      console.log(answerText(findings, process.stdout.columns || 120));
      const tables = [...files, "points.csv", "walks.csv", "manifest.json"];
      console.log(`\n${out}/: ${tables.join(", ")}, ${pictures.length} chart files`);
      if (findings.some(({ checks }) => checks.some(({ holds }) => !holds))) process.exitCode = 1;
    });

/** All experiments of a topic, or those that `--only` names. */
function chosenOf(experiments: Topic["experiments"], only: string | undefined) {
  if (only === undefined) return experiments;
  const wanted = nameList("--only", Object.keys(experiments))(only);
  return Object.fromEntries(Object.entries(experiments).filter(([name]) => wanted.includes(name)));
}
