/**
 * The guests that experiments about migrations move: small enough for a fraction of a second, each with one trait.
 */
import type { GivenSettings } from "../../../host/migration/settings-schema.ts";
import type { MigrationResult } from "../../../bench/results/result.ts";
import type { WhyPoint } from "../plan.ts";

type Program = Omit<WhyPoint, "engine">;

/**
 * Stores at random to a hot part of its memory: the dirty rate that fills it again each round. Both in pages, the
 * hot ones a whole percentage.
 */
export function writerOf(pages: number, hotPages: number, stores = 160_000): Program {
  return {
    workload: "hot-write",
    params: {
      pages,
      hotPercent: (100 * hotPages) / pages,
      hotWritePercent: 100,
      logRounds: 4,
      accesses: stores / 4,
    },
  };
}

/** Loads only. */
export const reader: Program = {
  workload: "pointer-chase",
  params: { pages: 4096, accesses: 100_000 },
};

/** Lookups without locality in 32 MiB, one in twenty a store: what large pages are for. */
export const lookups: Program = {
  workload: "uniform",
  params: { pages: 8192, accesses: 400_000, writePercent: 5 },
};

/** Cycles of the host's thread per reading of the log; switching it on, in the first round, is left out. */
export function cyclesPerReading({ rounds }: MigrationResult): number {
  const readings = rounds.filter(({ phase, round }) => phase === "precopy" && round > 1);
  const cycles = readings.reduce((sum, { trackerCycles }) => sum + trackerCycles, 0);
  return cycles / readings.length;
}

/** A link that never lets the guest stop, so that the log is read until the program ends. */
export const endless: GivenSettings = { bandwidth: 400e9, downtime: 0, bandwidthWindow: 0 };
