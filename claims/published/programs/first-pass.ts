/**
 * KVM's dirty_log_perf_test on 2 MiB leaves: the first pass after a dirty log begins.
 */
import { readCost } from "../../../bench/costs/cost-file.ts";
import { engines } from "../../../engines/index.ts";
import { runDirtyLog } from "../../../host/dirty-log/run-dirty-log.ts";
import { assert } from "../../../machine/assert.ts";
import { presets } from "../../../machine/presets.ts";

/** Of a second a page: 1 GiB a vCPU, the test's default; 2.6 GHz, a Skylake's, is assumed, as the letter names no part. */
export const cyclesPerPage = 2.6e9 / 262_144;

export interface FirstPass {
  /** Per page that a vCPU writes. */
  readonly cycles: number;
  /** Violations per page that a vCPU writes, each answered under the lock of the tables. */
  readonly violations: number;
}

/** Two vCPUs with 128 MiB each; leaves are split as they are written, or all of them before. */
export function firstPass(writePercent: 100 | 5, split: "first" | "when-written"): FirstPass {
  const engine = split === "first" ? "ept-pml" : "ept-pml-lazy";
  const phases = runDirtyLog(
    {
      engine,
      factory: engines[engine].create,
      preset: presets["skylake-sp"],
      pagesPerVcpu: 32_768,
      vcpus: 2,
      regions: "partitioned",
      order: "sequential",
      writePercent,
      slots: 1,
      clearPages: null,
      backing: "2m",
      iterations: 1,
      disabling: "stopped",
      dirtyLog: {},
      seed: 1,
    },
    { cost: readCost("skylake-sp"), check: false },
  );
  const dirty = phases.find(({ name }) => name === "dirty");
  assert(dirty !== undefined, "published: no dirty phase");
  const { cyclesTotal, ledger } = dirty;
  return {
    cycles: cyclesTotal / ledger.stores,
    violations: ledger.exitsEptViolation / ledger.stores,
  };
}
