/**
 * For tests: one migration of a small guest, everything at its default but what a test is about.
 */
import type { Engine } from "../../hypervisor/engine.ts";
import type { HostPageSize } from "../../machine/address.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { presets } from "../../machine/presets.ts";
import { workloads } from "../../workloads/index.ts";
import type { Workload } from "../../workloads/workload.ts";
import { presetCosts } from "../../bench/costs/cost-file.ts";
import type { MigrationSettings } from "../../bench/results/migration-record.ts";
import { fullParams, type ParamValues } from "../../bench/points/params.ts";
import type { MigrationResult } from "../../bench/results/result.ts";
import { clockOf } from "./clocks.ts";
import { runMigration } from "./run-migration.ts";
import { defaultSettings } from "./settings.ts";

export interface TestMigration {
  readonly engine: string;
  readonly workload: keyof typeof workloads;
  readonly params?: ParamValues;
  readonly settings?: Partial<MigrationSettings>;
  readonly backing?: HostPageSize;
  readonly check?: boolean;
  readonly mmu?: MmuFactory;
  readonly seed?: number;
  /** Schemes beside the registry's: planted bugs. */
  readonly engineVariants?: Readonly<Record<string, Engine>>;
}

const preset = "skylake-sp";

/** A limit that means something from the first page on, in a guest of a few milliseconds. */
const quick: Partial<MigrationSettings> = { bandwidthWindowMs: 0, downtimeLimitMs: 0.2 };

export function migrateSmall(test: TestMigration): MigrationResult {
  const source: Workload = workloads[test.workload];
  const cost = presetCosts()(preset);
  return runMigration(
    {
      id: 0,
      engine: test.engine,
      workload: test.workload,
      params: fullParams(source, test.params ?? {}),
      preset,
      backing: test.backing ?? "4k",
      guestLevels: 4,
      nestedLevels: 4,
      seed: test.seed ?? 1,
      migration: { ...defaultSettings, ...quick, ...test.settings },
    },
    {
      preset: presets[preset],
      mmu: test.mmu ?? fastMmu,
      check: test.check ?? false,
      cost,
      gigahertz: clockOf(cost.name),
      engineVariants: test.engineVariants ?? {},
    },
  );
}
