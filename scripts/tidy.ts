/** Checks the repository against its own rules and prints each place that breaks one. */
import { globSync, readFileSync } from "node:fs";
import { tidyProblems } from "./tidy-problems.ts";

const paths = globSync("**/*.ts", { exclude: ["**/node_modules/**", "coverage/**"] })
  .map((path) => path.replaceAll("\\", "/"))
  .toSorted();
const files = new Map(paths.map((path) => [path, readFileSync(path, "utf8")]));

// The manifest starts the commands; vitest finds its configuration by name.
const manifest = readFileSync("package.json", "utf8");
const entries = new Set(["vitest.config.ts", ...paths.filter((path) => manifest.includes(path))]);

const problems = tidyProblems(files, entries);
for (const problem of problems) console.error(problem);
console.error(`tidy: ${files.size} files, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
