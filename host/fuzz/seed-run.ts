/**
 * All that a long run does with one seed: guests under every engine, each beside its clone too, then guests that
 * migrate.
 */
import { fuzz } from "../../check/fuzz/fuzz.ts";
import { fuzzMigrations, migratable, type MigrationFuzzResult } from "./fuzz-migrations.ts";
import type { FuzzProgress, FuzzResult } from "../../check/fuzz/hunt.ts";

/** A migrated guest costs as much as one that stays, so fewer of them. */
const opsPerMigratedOp = 10;

export interface SeedOptions {
  readonly seed: number;
  /** Guest ops of guests that stay; those that migrate have a tenth as many again. */
  readonly ops: number;
  readonly engines: readonly string[];
  readonly presets: readonly string[];
}

export interface SeedReport {
  readonly seed: number;
  readonly stayed: FuzzResult;
  /** Null when none of the engines can migrate a guest. */
  readonly moved: MigrationFuzzResult | null;
}

/** What the migrated guests of a seed do. */
export function migratedOps({ ops, engines }: Pick<SeedOptions, "ops" | "engines">): number {
  return Object.keys(migratable(engines)).length > 0 ? Math.ceil(ops / opsPerMigratedOp) : 0;
}

/** `onProgress` counts over both parts. */
export function runSeed(
  options: SeedOptions,
  onProgress: (progress: FuzzProgress) => void,
): SeedReport {
  const { seed, engines } = options;
  const stayed = fuzz({ ...options, onProgress });
  const ops = migratedOps(options);
  if (ops === 0) return { seed, stayed, moved: null };
  const targets = migratable(engines);
  const moved = fuzzMigrations({
    seed,
    ops,
    targets,
    onProgress: (progress) =>
      onProgress({
        programs: stayed.programs + progress.programs,
        ops: stayed.ops + progress.ops,
        checked: stayed.checked + progress.checked,
      }),
  });
  return { seed, stayed, moved };
}
