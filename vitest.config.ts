import { join } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    pool: "forks",
    // By default one processor stays idle, which is half of a small machine.
    maxWorkers: "100%",
    // A hundred tests start the command line; what Node compiled once starts in 0.5 s of processor time, not 1.3.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/compiled") },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
