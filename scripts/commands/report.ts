/** `shadewalk report`: one HTML file with the answer, the charts, the explorers and the evidence. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "@commander-js/extra-typings";
import { describeWorkloads } from "../../bench/points/catalogue.ts";
import { costPresets, readCost } from "../../bench/costs/cost-file.ts";
import { ConfigError, quote } from "../../bench/input/config-error.ts";
import { writingInto } from "../../bench/files/make-folder.ts";
import { readJsonObject, readResults, readText } from "../../bench/files/read-results.ts";
import { replaceFiles } from "../../bench/files/result-files.ts";
import { readAnswer } from "../../claims/why/answer-file.ts";
import { topicFolder, topics } from "../../claims/why/index.ts";
import { cachesText } from "../caches-text.ts";

const reader = { text: readText, json: readJsonObject, answer: readAnswer };

export const report = () =>
  new Command("report")
    .description("Write one self-contained HTML file from a folder of results.")
    .argument("[results]", "folder that `bench` wrote", "results/latest")
    .option("-o, --out <file>", "the page; by default index.html in the results folder")
    .option(
      "--why <folders...>",
      "folders that `why` wrote",
      Object.keys(topics).map((topic) => topicFolder(topic)),
    )
    .addHelpText(
      "after",
      `
The page works from disk and by mail: it loads nothing. It has the answer (when \`shadewalk why\` has run), charts
with pickers, the walk explorer, every point as a table, and how it was run.

Examples:
  npx shadewalk report                          results/latest/index.html
  npx shadewalk report /tmp/quick --out a.html`,
    )
    .action(async (results, { out, why }) => {
      if (!existsSync(join(results, "points.csv"))) {
        throw new ConfigError(
          `results ${quote(results)}: no points.csv; \`shadewalk bench\` writes it`,
        );
      }
      // Loaded now: the bundler is slow to load and only this needs it.
      const { readContent } = await import("../../report/page/content.ts");
      const { renderPage } = await import("../../report/page/page.ts");
      const rows = await readResults(results);
      const published = fileURLToPath(new URL("../../results/published", import.meta.url));
      const titles = Object.fromEntries(
        describeWorkloads().map(([name, { title }]) => [name, title]),
      );
      const costs = Object.fromEntries(costPresets.map((name) => [name, readCost(name)]));
      const folders = { results, why, published };
      const { text, isShortened } = await renderPage(
        readContent({ rows, costs, titles }, folders, reader),
      );
      const file = out ?? join(results, "index.html");
      await writingInto(dirname(file), "the results are where they were", () =>
        replaceFiles(dirname(file), { [basename(file)]: (path) => writeFile(path, text) }),
      );
      const size = `${(Buffer.byteLength(text) / 1e6).toFixed(1)} MB`;
      process.stdout.write(cachesText(rows.points));
      console.log(`${file}: ${size}${isShortened ? ", without the set-up region" : ""}`);
    });
