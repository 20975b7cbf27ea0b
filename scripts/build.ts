/**
 * Compiles the program to `dist/` for a packed copy: JavaScript, and beside it the files that it reads.
 *
 * The repository itself runs its sources; nobody there has to build anything.
 */
import { spawnSync } from "node:child_process";
import { cpSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";

const data = [
  "{machine,hypervisor,guest,engines,workloads,check,bench,host,claims,report}/**/*.*",
  // What the report compares with.
  "results/published/*.csv",
  // Recorded systems, which are workloads too.
  "results/groundtruth/linux/6.1/traces/*.zst",
];

rmSync("dist", { recursive: true, force: true });
const { status } = spawnSync("tsc", ["--project", "tsconfig.build.json"], {
  stdio: "inherit",
  // On Windows `tsc` is a script of the shell's.
  shell: process.platform === "win32",
});
// Types of the library alone, for whoever imports it.
const types = spawnSync("tsc", ["--project", "tsconfig.types.json"], {
  stdio: "inherit",
  shell: process.platform === "win32",
});
if (status === 0) {
  const paths = globSync(data, { exclude: ["**/*.ts", "**/__snapshots__/**"] });
  for (const path of paths) cpSync(path, join("dist", path));
}
process.exitCode = status === 0 ? (types.status ?? 1) : (status ?? 1);
