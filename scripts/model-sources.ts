/**
 * The sources whose comments make docs/model.md, and where that page is.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const repository = join(import.meta.dirname, "..");
const rooms =
  "{machine,hypervisor,guest,linux,viommu,engines,workloads,check,bench,host,claims,report}";

export const modelPagePath = join(repository, "docs/model.md");

/** By path relative to the repository; tests and what speaks of the comments themselves left out. */
export function modelSources(): Record<string, string> {
  const paths = globSync(`${rooms}/**/*.ts`, { cwd: repository })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => !path.endsWith(".test.ts"));
  return Object.fromEntries(
    paths.map((path) => [path, readFileSync(join(repository, path), "utf8")]),
  );
}
