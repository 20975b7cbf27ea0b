/**
 * The files of a run of migrations: `migration.csv`, a line per point, `rounds.csv`, a line per round, and the
 * manifest. Same points, same bytes.
 */
import { writeFile } from "node:fs/promises";
import { stringify } from "csv-stringify/sync";
import { makeFolder } from "../../bench/files/make-folder.ts";
import { type InputHash, replaceFiles } from "../../bench/files/result-files.ts";
import { type Cell, paramColumns, paramPrefix } from "../../bench/files/result-columns.ts";
import { schemaVersion, type MigrationResult } from "../../bench/results/result.ts";

export interface MigrationsToWrite {
  readonly folder: string;
  readonly results: readonly MigrationResult[];
  /** What was asked for. */
  readonly config: unknown;
  readonly inputs: readonly InputHash[];
}

export const migrationTables = ["migration.csv", "rounds.csv", "manifest.json"] as const;

export async function writeMigrations(run: MigrationsToWrite): Promise<void> {
  const { folder, results, config, inputs } = run;
  const about = {
    schemaVersion,
    points: results.length,
    costs: [...new Set(results.map(({ cost }) => cost))].toSorted(),
    config,
    seeds: [...new Set(results.map(({ key }) => key.seed))],
    inputs,
  };
  makeFolder(folder);
  const texts = [
    csv(migrationLines(results)),
    csv(results.flatMap(roundLines)),
    `${JSON.stringify(about, null, 2)}\n`,
  ];
  const writers = migrationTables.map((name, index) => {
    return [name, (path: string) => writeFile(path, texts[index] ?? "")] as const;
  });
  await replaceFiles(folder, Object.fromEntries(writers), { sums: "all" });
}

type Line = Readonly<Record<string, Cell>>;

function csv(lines: readonly Line[]): string {
  return stringify([...lines], { header: true, cast: { number: String } });
}

function migrationLines(results: readonly MigrationResult[]): Line[] {
  const columns = paramColumns(results);
  return results.map((result) => {
    const { key, outcome, exits, cost, gigahertz } = result;
    const { params, migration, ...host } = key;
    const values = new Map(Object.entries(params));
    const given = columns.map((name) => [name, values.get(name.slice(paramPrefix.length)) ?? null]);
    return {
      ...host,
      params: JSON.stringify(params),
      ...(Object.fromEntries(given) as Line),
      ...migration,
      ...outcome,
      ...exits,
      cost,
      gigahertz,
    };
  });
}

function roundLines({ key, rounds }: MigrationResult): Line[] {
  const { id, engine, workload, seed } = key;
  return rounds.map((round) => ({ id, engine, workload, seed, ...round }));
}
