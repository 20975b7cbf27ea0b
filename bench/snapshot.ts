/**
 * Regions of a run: what was counted between two looks at the machine.
 */
import { subtract } from "../machine/counters.ts";
import type { Machine } from "../machine/machine.ts";
import type { RegionResult } from "./result.ts";

export type Snapshot = ReturnType<Machine["snapshot"]>;

/** What was counted up to `now`, since `then` or from the start. */
export function regionBetween(then: Snapshot | null, now: Snapshot): RegionResult {
  const walkLengths = Array.from(now.walkLengths, (count, references) => {
    return count - (then?.walkLengths[references] ?? 0);
  });
  return { ledger: then === null ? now.ledger : subtract(now.ledger, then.ledger), walkLengths };
}
