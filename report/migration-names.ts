/**
 * Names of migrations: a program with the parameters that tell it apart, a link with its rule.
 */
import { type MigrationKey, type MigrationResult, pageSizeWords } from "../bench/results/result.ts";

type Settings = MigrationKey["migration"];

/** `hot-write hotPercent=10 seed=2`: the workload, and what differs among these results. */
export function pointName(key: MigrationKey, results: readonly MigrationResult[]): string {
  const same = results.filter((other) => other.key.workload === key.workload);
  const differs = (valueOf: (other: MigrationKey) => unknown) =>
    new Set(same.map((other) => valueOf(other.key))).size > 1;
  const params = Object.entries(key.params)
    .filter(([name]) => differs((other) => other.params[name]))
    .map(([name, value]) => ` ${name}=${value}`);
  const preset = differs((other) => other.preset) ? ` ${key.preset}` : "";
  const backing = differs((other) => other.backing)
    ? ` ${pageSizeWords[key.backing]} host pages`
    : "";
  const seed = differs((other) => other.seed) ? ` seed=${key.seed}` : "";
  return key.workload + params.join("") + preset + backing + seed;
}

/** `10Gbit, 300 ms`, with what is unusual about it. */
export function migrationLabel(settings: Settings): string {
  const { mode, bandwidthBitsPerSecond, downtimeLimitMs, autoConverge } = settings;
  const words = [
    bandwidthName(bandwidthBitsPerSecond),
    mode === "postcopy" ? "post-copy" : `${downtimeLimitMs} ms`,
    ...(autoConverge === 1 ? ["auto-converge"] : []),
  ];
  return words.join(", ");
}

function bandwidthName(bits: number): string {
  if (bits >= 1e9) return `${bits / 1e9}Gbit`;
  return bits >= 1e6 ? `${bits / 1e6}Mbit` : `${bits / 1e3}kbit`;
}
