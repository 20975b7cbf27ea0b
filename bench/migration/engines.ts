/**
 * Which engines can be migrated, and how.
 */
import { engines } from "../../engines/index.ts";
import { baselineEngine } from "../result.ts";
import type { MigrationMode } from "./settings.ts";

/** Engines that accept dirty-log events and report nothing; a test asks each of them. */
const withoutLog: ReadonlySet<string> = new Set([
  baselineEngine,
  "shadow",
  "shadow-vtlb",
  "ept",
  "npt",
]);

/** Engines whose hypervisor knows which pages were written. */
export const loggingEngines: readonly string[] = Object.keys(engines).filter(
  (name) => !withoutLog.has(name),
);

/** Why a guest cannot be migrated so under this engine, or nothing. */
export function engineProblem(engine: string, mode: MigrationMode): string | undefined {
  if (engine === baselineEngine) return `${engine}: bare metal has no host that could migrate it`;
  if (mode === "postcopy" || !withoutLog.has(engine)) return undefined;
  const allowed = loggingEngines.join(", ");
  return `${engine}: keeps no dirty log, which pre-copy needs. Allowed: ${allowed}`;
}
