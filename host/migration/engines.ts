/**
 * Which engines can be migrated, and how. A guest of a guest is migrated by the hypervisor that runs it, whose log it is.
 */
import { engines, innermostEngine } from "../../engines/index.ts";
import type { MigrationSettings } from "../../bench/results/migration-record.ts";
import { otherIsaOf } from "../../bench/points/point-problem.ts";
import { baselineEngine } from "../../bench/results/result.ts";

/** Engines that accept dirty-log events and report nothing; a test asks each of them. */
const withoutLog: ReadonlySet<string> = new Set([
  baselineEngine,
  "shadow",
  "shadow-vtlb",
  "ept",
  "npt",
  "ept-flat",
  "ept-folded",
  "agile",
  "shsp",
  "shsp-process",
]);

/** Engines whose hypervisor knows which pages were written. */
export const loggingEngines: readonly string[] = Object.keys(engines).filter(
  (name) => !withoutLog.has(name),
);

/** Why a guest cannot be migrated so under this engine, or nothing. */
export function engineProblem(
  engine: string,
  { mode, postcopyAfterRounds }: Pick<MigrationSettings, "mode" | "postcopyAfterRounds">,
): string | undefined {
  if (engine === baselineEngine) return `${engine}: bare metal has no host that could migrate it`;
  const isa = otherIsaOf(engine);
  if (isa !== undefined) return `${engine}: guests of ${isa} do not migrate here`;
  const movesAtOnce = mode === "postcopy" && postcopyAfterRounds === 0;
  if (movesAtOnce || !withoutLog.has(innermostEngine(engine))) return undefined;
  const allowed = loggingEngines.join(", ");
  return `${engine}: keeps no dirty log, which rounds of pre-copy need. Allowed: ${allowed}`;
}
