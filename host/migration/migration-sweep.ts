/**
 * A sweep of migrations: a sweep file with one field more, the grid of settings that every point is migrated
 * with.
 *
 * Engines without a dirty log are refused before the first run: pre-copy under them would lose every write.
 */
import { existsSync, readdirSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { z } from "zod";
import { ConfigError, quote, unknownText } from "../../bench/input/config-error.ts";
import type { Catalogue } from "../../bench/points/sweep-schema.ts";
import { checkNamesPresent, sweepSchema } from "../../bench/points/sweep-schema.ts";
import type { MigrationSettings } from "../../bench/results/migration-record.ts";
import { schemaWords } from "../../bench/input/schema-words.ts";
import { type Sweep, sweepOf } from "../../bench/sweeps/sweep.ts";
import { readTextFile } from "../../bench/input/text-file.ts";
import { type FieldPath, parseYamlFile, type YamlFile } from "../../bench/input/yaml-file.ts";
import { engineProblem } from "./engines.ts";
import type { MigrationKey } from "../../bench/results/result.ts";
import { fullSettings, settingNames, settingsSchema } from "./settings-schema.ts";

const word = z.union([z.string(), z.number(), z.boolean()]);
const grid = z.record(z.string(), z.union([word, z.array(word).min(1)]));

const schema = sweepSchema.extend({
  /** Each grid is crossed by itself; the grids are added up. */
  migrations: z.array(grid).min(1, "must hold at least one grid of settings"),
});

export interface MigrationSweep extends Omit<Sweep, "points"> {
  readonly name: string;
  readonly path: string;
  readonly points: readonly MigrationKey[];
}

/** The points of a sweep file's text, ids in the file's order. */
export function parseMigrationSweep(
  text: string,
  file: string,
  catalogue: Catalogue,
): Omit<MigrationSweep, "name" | "path"> {
  const yaml = parseYamlFile(text, file, schema, (present) =>
    checkNamesPresent(present, catalogue),
  );
  const sweep = sweepOf(yaml, catalogue);
  const settings = yaml.value.migrations.flatMap((given, index) =>
    gridSettings(given, ["migrations", index], yaml),
  );
  const points = sweep.points.flatMap((key) =>
    settings.map((migration) => ({ ...key, migration })),
  );
  for (const { engine, migration } of points) {
    const problem = engineProblem(engine, migration);
    if (problem !== undefined) throw yaml.complain(["engines"], problem);
  }
  return { ...sweep, points: points.map((key, id) => ({ ...key, id })) };
}

type Grid = z.infer<typeof grid>;

function gridSettings(given: Grid, path: FieldPath, yaml: YamlFile<unknown>): MigrationSettings[] {
  let rows: Readonly<Record<string, unknown>>[] = [{}];
  for (const [name, values] of Object.entries(given)) {
    if (!(settingNames as readonly string[]).includes(name)) {
      throw yaml.complain([...path, name], unknownText(name, settingNames));
    }
    const list = Array.isArray(values) ? values : [values];
    rows = rows.flatMap((row) => list.map((value) => ({ ...row, [name]: value })));
  }
  return rows.map((row) => {
    const parsed = settingsSchema.safeParse(row, { error: schemaWords });
    if (parsed.success) return fullSettings(parsed.data);
    const [issue] = parsed.error.issues;
    throw yaml.complain([...path, ...(issue?.path ?? [])], issue?.message ?? "not a setting");
  });
}

const folder = join(import.meta.dirname, "./sweeps");
const extension = ".yaml";

/** Names of the shipped sweeps of migrations. */
export function migrationSweepNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(extension))
    .map((file) => basename(file, extension))
    .toSorted();
}

/** Reads a shipped sweep by its name, or any by its path. */
export function readMigrationSweep(nameOrPath: string, catalogue: Catalogue): MigrationSweep {
  const known = migrationSweepNames();
  const isName = known.includes(nameOrPath);
  if (!isName && !existsSync(nameOrPath)) {
    const allowed = `${unknownText(nameOrPath, known)}, or the path of a ${extension} file`;
    throw new ConfigError(`sweep ${quote(nameOrPath)}: ${allowed}`);
  }
  const path = isName ? join(folder, nameOrPath + extension) : nameOrPath;
  const shown = isName ? relative(process.cwd(), path) : path;
  const sweep = parseMigrationSweep(readTextFile("sweep", path), shown, catalogue);
  return { name: nameOrPath, path, ...sweep };
}
