/**
 * The settings of a migration unless somebody says otherwise.
 *
 * Defaults are those of QEMU 9 (migration/options.c, migration/migration.c, migration/ram.c).
 */
import type { MigrationSettings } from "../../bench/results/migration-record.ts";

export const defaultSettings: MigrationSettings = {
  mode: "precopy",
  bandwidthBitsPerSecond: 10e9,
  downtimeLimitMs: 300,
  bandwidthWindowMs: 100,
  autoConverge: 0,
  throttleInitialPercent: 20,
  throttleIncrementPercent: 10,
  throttleMaxPercent: 99,
  throttleTriggerPercent: 50,
  throttlePeriodMs: 1000,
  zeroPages: 1,
  postcopyAfterRounds: 1,
  // Assumed: two hosts of one data centre.
  roundTripMs: 0.05,
  startPercent: 0,
};
