/**
 * Regions of a run: what was counted between two looks at the machine.
 */
import { type Ledger, subtract } from "./counters.ts";
import type { Machine } from "./machine.ts";

/** What a region counted. */
export interface RegionCounts {
  readonly ledger: Ledger;
  /** Walks by number of references: entry n counts the walks that took n. */
  readonly walkLengths: readonly number[];
}

export type Snapshot = ReturnType<Machine["snapshot"]>;

/** What was counted up to `now`, since `then` or from the start. */
export function regionBetween(then: Snapshot | null, now: Snapshot): RegionCounts {
  const walkLengths = Array.from(now.walkLengths, (count, references) => {
    return count - (then?.walkLengths[references] ?? 0);
  });
  return { ledger: then === null ? now.ledger : subtract(now.ledger, then.ledger), walkLengths };
}
