/**
 * Expected against replayed: every row of one trace, kernel and mode.
 */
import type { ExpectedRow } from "./ground-truth.ts";
import type { ColdRow } from "./nested/expectations.ts";

/** What was compared under one kernel and mode, and what differed. */
export interface Comparison {
  readonly compared: number;
  readonly differences: readonly Difference[];
  /** Counters of the ground truth that we have no count for. */
  readonly unknownCounters: readonly string[];
}

/** One phase of a replay: our value for each name, undefined where we have no such counter. */
export interface PhaseValues {
  readonly name: string;
  valueOf(counter: string): number | undefined;
}

/** Rows with a range, and where our values lie. */
export interface ColdCounts {
  readonly below: number;
  readonly within: number;
  readonly above: number;
}

export interface Difference {
  readonly phase: string;
  readonly counter: string;
  readonly expected: number;
  /** Null when the trace has no such phase. */
  readonly got: number | null;
}

export function compare(rows: readonly ExpectedRow[], phases: readonly PhaseValues[]): Comparison {
  const byName = new Map(phases.map((phase) => [phase.name, phase]));
  const differences: Difference[] = [];
  const unknownCounters = new Set<string>();
  let compared = 0;
  for (const { phase, counter, value } of rows) {
    const counts = byName.get(phase);
    const got = counts === undefined ? null : counts.valueOf(counter);
    if (got === undefined) {
      unknownCounters.add(counter);
      continue;
    }
    compared += 1;
    if (got !== value) differences.push({ phase, counter, expected: value, got });
  }
  return { compared, differences, unknownCounters: [...unknownCounters] };
}

/** Where our values lie; a phase or a counter that we lack is counted nowhere. */
export function compareCold(rows: readonly ColdRow[], phases: readonly PhaseValues[]): ColdCounts {
  const byName = new Map(phases.map((phase) => [phase.name, phase]));
  const counts = { below: 0, within: 0, above: 0 };
  for (const { phase, counter, min, max } of rows) {
    const got = byName.get(phase)?.valueOf(counter);
    if (got === undefined) continue;
    counts[got < min ? "below" : got > max ? "above" : "within"] += 1;
  }
  return counts;
}
