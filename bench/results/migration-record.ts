/**
 * What decides a migration, and the line that it writes per round: the part of the result schema about migration.
 *
 * Types and names only, so that `report/` sees them through `bench/results/result.ts` and not the migration itself.
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

export type RoundPhase = "precopy" | "stop-and-copy" | "postcopy";

/** From one reading of the dirty log to the next. */
export interface Round {
  readonly round: number;
  readonly phase: RoundPhase;
  readonly startMs: number;
  endMs: number;
  /** Pages sent, markers of zeros among them; pages that had been sent before. */
  pagesSent: number;
  pagesResent: number;
  zeroPages: number;
  bytes: number;
  /** What the log reported at the end of the round. */
  pagesDirtied: number;
  /** Pages still to send then. */
  pagesLeft: number;
  /** Bytes that the rule allowed to be left then. */
  allowedBytes: number;
  /** Cycles of the host's thread in the log. */
  trackerCycles: number;
  throttlePercent: number;
}
