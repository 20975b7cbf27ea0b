/**
 * The charts of a run of migrations, those that have something to show.
 */
import type { TopLevelSpec } from "vega-lite";
import type { MigrationResult } from "../../bench/results/result.ts";
import type { NamedSpec } from "../render.ts";
import { migrationDowntime } from "./migration-downtime.ts";
import { migrationRounds } from "./migration-rounds.ts";

type MigrationChart = (results: readonly MigrationResult[]) => TopLevelSpec | null;

const charts: Readonly<Record<string, MigrationChart>> = {
  rounds: migrationRounds,
  downtime: migrationDowntime,
};

export function migrationCharts(results: readonly MigrationResult[]): NamedSpec[] {
  return Object.entries(charts).flatMap(([name, chart]) => {
    const spec = chart(results);
    return spec === null ? [] : [{ name, spec }];
  });
}
