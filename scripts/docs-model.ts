/** Writes docs/model.md from the `Model:` comments of the sources. */
import { writeFileSync } from "node:fs";
import { modelPage } from "./model-choices.ts";
import { modelPagePath, modelSources } from "./model-sources.ts";

const { text, problems } = modelPage(modelSources());
for (const problem of problems) console.error(problem);
if (problems.length === 0) writeFileSync(modelPagePath, text);
process.exitCode = problems.length === 0 ? 0 : 1;
