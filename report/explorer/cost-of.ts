/** The prices of a processor; one without a file of its name is priced as a sweep prices it. */
import type { CostModel } from "../../bench/costs/cost.ts";

const otherwise = "skylake-sp";

export function costOf(costs: Readonly<Record<string, CostModel>>, preset: string): CostModel {
  const cost = costs[preset] ?? costs[otherwise];
  if (cost === undefined) throw new Error(`explorer: no prices for ${preset}`);
  return cost;
}
