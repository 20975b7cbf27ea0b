/**
 * Expected against replayed: every row of one trace, kernel and mode.
 */
import { type PhaseCounts, valueOf } from "./counter-map.ts";
import type { ExpectedRow } from "./ground-truth.ts";

/** What was compared under one kernel and mode, and what differed. */
export interface Comparison {
  readonly compared: number;
  readonly differences: readonly Difference[];
  /** Counters of the ground truth that we have no count for. */
  readonly unknownCounters: readonly string[];
}

export interface Difference {
  readonly phase: string;
  readonly counter: string;
  readonly expected: number;
  /** Null when the trace has no such phase. */
  readonly got: number | null;
}

export function compare(rows: readonly ExpectedRow[], phases: readonly PhaseCounts[]): Comparison {
  const byName = new Map(phases.map((phase) => [phase.name, phase]));
  const differences: Difference[] = [];
  const unknownCounters = new Set<string>();
  let compared = 0;
  for (const { phase, counter, value } of rows) {
    const counts = byName.get(phase);
    const got = counts === undefined ? null : valueOf(counter, counts);
    if (got === undefined) {
      unknownCounters.add(counter);
      continue;
    }
    compared += 1;
    if (got !== value) differences.push({ phase, counter, expected: value, got });
  }
  return { compared, differences, unknownCounters: [...unknownCounters] };
}
