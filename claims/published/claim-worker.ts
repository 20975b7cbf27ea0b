/**
 * What a worker thread does: simulates some claims of one group, which share their runs.
 */
import { claimGroups } from "./claims/index.ts";
import { Stage } from "./stage.ts";

export interface ClaimTask {
  /** Place in `claimGroups`. */
  readonly group: number;
  /** Names of those of its claims that are wanted. */
  readonly names: ReadonlySet<string>;
}

/** Simulated values by name: the task that `simulate.ts` names. */
export function runTask({ group, names }: ClaimTask): ReadonlyMap<string, number> {
  const stage = new Stage();
  const wanted = claimGroups[group]?.filter(({ name }) => names.has(name)) ?? [];
  return new Map(wanted.map((claim) => [claim.name, claim.simulate(stage)]));
}
