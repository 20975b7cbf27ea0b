/**
 * What decides a migration beside guest and machine: the link, the rule to stop, how the guest is slowed.
 *
 * Defaults are those of QEMU 9 (migration/options.c, migration/migration.c, migration/ram.c).
 */
export const migrationModes = ["precopy", "postcopy"] as const;
type MigrationMode = (typeof migrationModes)[number];

/** Numbers and words only, so that sweep files and CSV lines hold them as they are. */
export interface MigrationSettings {
  readonly mode: MigrationMode;
  /** Of the link, both directions alike. */
  readonly bandwidthBitsPerSecond: number;
  /** Pre-copy stops the guest once what is left takes no longer than this (`downtime-limit`). */
  readonly downtimeLimitMs: number;
  /** The bandwidth is unknown, and so taken for 0, until it has been measured for so long (BUFFER_DELAY). */
  readonly bandwidthWindowMs: number;
  /** 1: slow the guest down while it dirties faster than the link sends (`auto-converge`). */
  readonly autoConverge: 0 | 1;
  /** Share of the guest's time that is taken at first, is added, is taken at most, in percent. */
  readonly throttleInitialPercent: number;
  readonly throttleIncrementPercent: number;
  readonly throttleMaxPercent: number;
  /** Dirtied bytes, in percent of sent bytes, above which a period counts against the guest. */
  readonly throttleTriggerPercent: number;
  /** Least time between two looks at the dirty rate. */
  readonly throttlePeriodMs: number;
  /** 1: a page of zeros goes as a marker of 9 bytes (`zero-page-detection`). */
  readonly zeroPages: 0 | 1;
  /** Post-copy: passes over the dirty pages before the guest is moved; 0 moves it at once. */
  readonly postcopyAfterRounds: number;
  /** Post-copy: time for a request to reach the source and an answer to come back, beside the page itself. */
  readonly roundTripMs: number;
  /** Part of the measured program that runs before the migration starts. */
  readonly startPercent: number;
}

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
