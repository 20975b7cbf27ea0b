import { existsSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

// `node_modules/.bin/vitest` runs on the machine's own Node, and what that cannot do would look like failures of ours.
const major = Number(process.versions.node.split(".")[0]);
if (major < 26 && existsSync(join(import.meta.dirname, "node_modules/.bin/node"))) {
  const advice =
    "start the tests with npm test or npx vitest, which find the Node that came with the project";
  process.stderr.write(`vitest: this is Node ${process.versions.node}: ${advice}\n`);
  process.exit(1);
}

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    pool: "forks",
    // By default one processor stays idle, which is half of a small machine.
    maxWorkers: "100%",
    // A hundred tests start the command line; what Node compiled once starts in 0.5 s of processor time, not 1.3.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/compiled") },
    // A machine with other work on it is several times slower than one without; a test that hangs hangs longer.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
