/** `shadewalk why`: runs the curated experiments, prints the answer, writes its evidence. */
import { availableParallelism } from "node:os";
import { Command } from "@commander-js/extra-typings";
import { pick } from "../../bench/input/config-error.ts";
import { lockFolder } from "../../bench/files/folder-lock.ts";
import { writingInto } from "../../bench/files/make-folder.ts";
import { writtenAnswer } from "../../claims/why/answer-file.ts";
import { defaultTopic, topicFolder, topics } from "../../claims/why/index.ts";
import { experimentNames, prepareTopic } from "../../claims/why/prepare-topic.ts";
import { writeAnswer } from "../../claims/why/write-answer.ts";
import { answerCharts, answerMarkdown, answerText } from "../../report/answer.ts";
import { drawCharts } from "../../report/render.ts";
import { pointsProgress } from "../points-progress.ts";
import { waiting } from "../waiting.ts";
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
  .map(([name, topic]) => `  ${name}:\n    ${experimentNames(topic).join(", ")}`)
  .join("\n")}

Examples:
  npx shadewalk why
  npx shadewalk why --only frontier,ablation --out /tmp/why
  npx shadewalk why --topic migration
  npx shadewalk why --topic devices
  npx shadewalk why --topic policy --only remap`,
    )
    .action(async ({ topic, workers, quiet, ...options }) => {
      const chosen = pick(topics, topic, "--topic");
      const out = options.out ?? topicFolder(topic);
      const prepared = prepareTopic(chosen, chosenNames(experimentNames(chosen), options.only));
      const lock = await lockFolder({ folder: out, onWatch: waiting });
      const abort = new AbortController();
      process.once("SIGINT", () => abort.abort());
      const progress = pointsProgress(prepared.points, {
        unit: "points",
        quiet: quiet || prepared.points.length === 0,
      });
      const { answer, texts, files, pictures } = await writingInto(out, advice, async () => {
        const {
          findings,
          rows,
          files: evidence,
        } = await prepared.run({
          out,
          workers,
          signal: abort.signal,
          onFinished: (key, cost) => progress.onFinished(key, cost),
        });
        progress.finish();
        const written = writtenAnswer(chosen.title, findings);
        return {
          answer: written,
          files: evidence,
          texts: await writeAnswer(out, {
            answer: written,
            markdown: answerMarkdown(written),
            tables: findings.flatMap(({ tables }) => tables),
          }),
          pictures: await drawCharts(out, answerCharts(findings, rows)),
        };
      });
      lock.release();
      console.log(answerText(answer, process.stdout.columns || 120));
      const tables = [...texts, ...files];
      console.log(`\n${out}/: ${tables.join(", ")}, ${pictures.length} chart files`);
      if (answer.findings.some(({ checks }) => checks.some(({ holds }) => !holds)))
        process.exitCode = 1;
    });

const advice = "nothing is kept: make room, then ask again";

/** All experiments of a topic, or those that `--only` names. */
function chosenNames(names: readonly string[], only: string | undefined): readonly string[] {
  return only === undefined ? names : nameList("--only", names)(only);
}
