/**
 * For tests: a small run of one vCPU on 4 KiB host pages, no caches, pages armed by the get.
 */
import { presets } from "../../machine/presets.ts";
import { type EngineName, engines } from "../../engines/index.ts";
import { readCost } from "../../bench/costs/cost-file.ts";
import { type DirtyLogPhase, type PhaseName, runDirtyLog } from "./run-dirty-log.ts";
import type { DirtyLogSettings } from "./settings.ts";

export function testSettings(
  engine: EngineName,
  changes: Partial<DirtyLogSettings> = {},
): DirtyLogSettings {
  return {
    engine,
    factory: engines[engine].create,
    preset: presets.textbook,
    pagesPerVcpu: 2048,
    vcpus: 1,
    regions: "partitioned",
    order: "sequential",
    writePercent: 100,
    slots: 1,
    clearPages: null,
    backing: "4k",
    iterations: 2,
    disabling: "stopped",
    seed: 1,
    ...changes,
    dirtyLog: { armedBy: "get", ...changes.dirtyLog },
  };
}

/** Runs with the oracle watching; the phase that is asked for, by name and iteration. */
export function phasesOf(engine: EngineName, changes: Partial<DirtyLogSettings> = {}) {
  const run = { cost: readCost("skylake-sp"), check: true };
  const phases = runDirtyLog(testSettings(engine, changes), run);
  return (name: PhaseName, iteration: number | null = null): DirtyLogPhase => {
    const found = phases.find((phase) => phase.name === name && phase.iteration === iteration);
    if (found === undefined) throw new Error(`bug: no phase ${name} ${iteration}`);
    return found;
  };
}
