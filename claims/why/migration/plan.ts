/**
 * Which migrations the experiments need, each run once however many ask for it.
 */
import { presets } from "../../../machine/presets.ts";
import { fullSettings, type GivenSettings } from "../../../host/migration/settings-schema.ts";
import type { MigrationKey } from "../../../bench/results/result.ts";
import type { SweepMachine } from "../../../bench/sweeps/sweep.ts";
import { switchedPreset } from "../machine-switches.ts";
import { identity, keyOf, type WhyPoint } from "../plan.ts";

interface Wish extends WhyPoint {
  readonly migration: GivenSettings;
}

export interface MigrationPlan {
  readonly points: readonly MigrationKey[];
  readonly machines: Readonly<Record<string, SweepMachine>>;
}

/** Same text, same migration. */
export function migrationIdentity(wanted: Wish | MigrationKey): string {
  const key = "id" in wanted ? wanted : migrationKey(wanted);
  return identity(key) + JSON.stringify(key.migration);
}

export function makeMigrationPlan(wanted: readonly Wish[]): MigrationPlan {
  const points = new Map<string, MigrationKey>();
  const machines: Record<string, SweepMachine> = {};
  for (const wish of wanted) {
    const text = migrationIdentity(wish);
    if (points.has(text)) continue;
    const key = { id: points.size, ...migrationKey(wish) };
    points.set(text, key);
    const { preset: like = "skylake-sp", machine = [] } = wish;
    machines[key.preset] = { preset: switchedPreset(presets[like], machine), like };
  }
  return { points: [...points.values()], machines };
}

/** Small host pages unless an experiment says otherwise: a log of 4 KiB pages is what most of them are about. */
function migrationKey(wish: Wish): Omit<MigrationKey, "id"> {
  const { migration, ...point } = wish;
  return { ...keyOf({ backing: "4k", ...point }), migration: fullSettings(migration) };
}
