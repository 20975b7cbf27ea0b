/**
 * A workload under an engine that enforces rules on its guest: what the rules cost.
 */
import { runPoint } from "../bench/points/run-point.ts";
import { assert } from "../machine/assert.ts";
import { hardwareFor } from "../machine/hardware.ts";
import { presets } from "../machine/presets.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { MemoryPolicy } from "../hypervisor/policy/memory-policy.ts";
import type { PolicyRule } from "../hypervisor/policy/rules.ts";
import type { PointResult } from "../bench/results/result.ts";
import { workloads } from "../workloads/index.ts";
import type { WorkloadParams } from "../workloads/workload.ts";

export interface PolicedProgram {
  readonly workload: keyof typeof workloads;
  readonly params?: WorkloadParams;
}

/** An engine with rules in force from its guest's first instruction. */
export function policed(engine: Engine, rules: readonly PolicyRule[]): Engine {
  return {
    ...engine,
    create(platform, options) {
      const policy = new MemoryPolicy(rules);
      const hypervisor = engine.create(platform, { ...options, policy });
      assert(policy.isEnforced, () => `policy: ${engine.title}: enforces no policy`);
      return hypervisor;
    },
  };
}

/** Runs the program on 4 KiB host pages of a Skylake server, seed 1; with `check` under the oracle. */
export function runPoliced(
  engine: Engine,
  { workload, params = {} }: PolicedProgram,
  check = false,
): PointResult {
  const preset = presets["skylake-sp"];
  const key = {
    id: 0,
    engine: "policed",
    workload,
    params: { ...workloads[workload].defaults, ...params },
    preset: "skylake-sp",
    backing: "4k",
    guestLevels: 4,
    nestedLevels: 4,
    seed: 1,
  } as const;
  const options = { preset, check, ...hardwareFor(preset) };
  return runPoint(key, { ...options, engineVariants: { policed: engine } }).result;
}
