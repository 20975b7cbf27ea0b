/**
 * A migration as its operator asks for it: memory, working set and dirty rate, made small enough to be run.
 *
 * Memory, working set and every time of the rule shrink by the same factor; rates stay as they are: pages written a
 * second, bytes of the link a second, and so exits a second and the guest's slowdown. Rounds are the same, times are the
 * factor smaller, and are multiplied again where they are shown.
 *
 * Model: writes go to random pages of the working set at an even rate, where a real program writes some pages often.
 * Bias: none between schemes; all of pre-copy looks worse.
 */
import type { MigrationSettings } from "../../bench/results/migration-record.ts";
import { ConfigError } from "../../bench/input/config-error.ts";
import type { ParamValues } from "../../bench/points/params.ts";

export interface AskedLoad {
  readonly memoryBytes: number;
  readonly workingSetBytes: number;
  readonly dirtyBytesPerSecond: number;
}

export interface ScaledLoad {
  /** What memory and times are divided by. */
  readonly shrink: number;
  /** Of the workload `steady-writer`. */
  readonly params: ParamValues;
  readonly settings: MigrationSettings;
}

const pageBytes = 4096;
/** 64 MiB: set up within a moment. */
const pagesMax = 16_384;
/** Fewer would be a working set of a few rounds' luck. */
const writtenPagesMin = 256;
/** The program goes on for so many times the time that all memory takes on the wire; what has not converged by then does not. */
const copiesMax = 6;
/** Accesses of the program in a second at least: migration acts between a few hundred of them. */
const accessesPerSecondMin = 4e6;

/** Memory becomes `pages` at most. Throws a `ConfigError` for a working set that is larger than memory. */
export function scaledLoad(
  load: AskedLoad,
  asked: MigrationSettings,
  gigahertz: number,
  pages = pagesMax,
): ScaledLoad {
  const { memoryBytes, workingSetBytes, dirtyBytesPerSecond } = load;
  if (workingSetBytes > memoryBytes) {
    throw new ConfigError("--working-set: must not be larger than --memory");
  }
  const memoryPages = Math.ceil(memoryBytes / pageBytes);
  const workingPages = Math.ceil(workingSetBytes / pageBytes);
  const shrink = Math.max(1, Math.min(memoryPages / pages, workingPages / writtenPagesMin));
  const writesPerSecond = dirtyBytesPerSecond / pageBytes;
  const copySeconds = (8 * memoryBytes) / asked.bandwidthBitsPerSecond / shrink;
  const readsPerWrite = Math.max(0, Math.ceil(accessesPerSecondMin / writesPerSecond) - 1);
  const cyclesPerWrite = (gigahertz * 1e9) / writesPerSecond - readsPerWrite;
  return {
    shrink,
    params: {
      pages: Math.ceil(memoryPages / shrink),
      writtenPages: Math.ceil(workingPages / shrink),
      writeOps: Math.max(1, Math.ceil(copiesMax * copySeconds * writesPerSecond)),
      readsPerWrite,
      cyclesPerWrite: Math.max(1, Math.round(cyclesPerWrite)),
    },
    settings: {
      ...asked,
      downtimeLimitMs: asked.downtimeLimitMs / shrink,
      bandwidthWindowMs: asked.bandwidthWindowMs / shrink,
      throttlePeriodMs: asked.throttlePeriodMs / shrink,
    },
  };
}
