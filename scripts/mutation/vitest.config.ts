/** How tests run against a mutant: all in one process, the quickest file first. Which ones, `rooms.ts` says. */
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { leftOut } from "./rooms.ts";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** A mutant dies at its first failing test: long files wait. */
class QuickestFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { cache } = this.ctx;
    const durationOf = (file: TestSpecification) =>
      cache.getTestSpecificationResult(file)?.duration ?? Infinity;
    return Promise.resolve(files.toSorted((a, b) => durationOf(a) - durationOf(b)));
  }
}

export default defineConfig({
  test: {
    include: ["{machine,hypervisor,engines,guest,check,bench,host,workloads}/**/*.test.ts"],
    exclude: ["**/node_modules/**", ...leftOut],
    // Modules are loaded once per mutant, not once per file.
    isolate: false,
    setupFiles: [join(import.meta.dirname, "./setup.ts")],
    sequence: { sequencer: QuickestFirst },
    // Several times what a loaded machine needs: a test that is only slow is no sign of a fault.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
