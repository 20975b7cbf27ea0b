/**
 * Runs experiments about migrations: all of them in one sweep on worker threads, then each reads its own.
 */
import { Interrupted } from "../../../bench/input/config-error.ts";
import { costPresets, presetPath } from "../../../bench/costs/cost-file.ts";
import { migrationTables, writeMigrations } from "../../../host/migration/migration-files.ts";
import { runMigrations } from "../../../host/migration/run-migrations.ts";
import { hashFile } from "../../../bench/files/result-files.ts";
import type { MigrationResult } from "../../../bench/results/result.ts";
import type { NamedFinding } from "../run-why.ts";
import { type MigrationExperiment, migrationFindings } from "./experiment.ts";
import { makeMigrationPlan, type MigrationPlan } from "./plan.ts";

export interface MigrationWhyOptions {
  readonly experiments: Readonly<Record<string, MigrationExperiment>>;
  /** Folder for the tables. */
  readonly out: string;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly onFinished: (result: MigrationResult) => void;
}

export interface MigrationWhy {
  readonly findings: readonly NamedFinding[];
  /** Files written below `out`. */
  readonly files: readonly string[];
}

export function migrationPlanOf(chosen: MigrationWhyOptions["experiments"]): MigrationPlan {
  return makeMigrationPlan(Object.values(chosen).flatMap(({ points }) => points));
}

export async function runMigrationTopic(options: MigrationWhyOptions): Promise<MigrationWhy> {
  const { experiments, out, workers, signal, onFinished } = options;
  const { points, machines } = migrationPlanOf(experiments);
  const results = await runMigrations({
    points,
    machines,
    workers,
    check: false,
    signal,
    onFinished,
  });
  if (results.length < points.length) throw new Interrupted("why: interrupted");
  await writeMigrations({
    folder: out,
    results,
    config: { experiments: Object.keys(experiments) },
    inputs: await Promise.all(
      costPresets.map((name) => hashFile(`cost ${name}`, presetPath(name))),
    ),
  });
  const findings = migrationFindings(results);
  return {
    findings: Object.entries(experiments).map(([name, { title, read }]) => {
      return { name, title, ...read(findings) };
    }),
    files: migrationTables,
  };
}
