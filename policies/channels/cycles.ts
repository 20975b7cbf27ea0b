/**
 * What counts of a channel cost on the processor that all channels run on: what an attacker's clock shows.
 */
import { presetCosts } from "../../bench/costs/cost-file.ts";
import { price, totalCycles } from "../../bench/costs/cost.ts";
import type { Ledger } from "../../machine/counters.ts";

const cost = presetCosts()("skylake-sp");

/** Nothing is computed besides the accesses. */
export function cyclesOf(counts: Readonly<Ledger>): number {
  return totalCycles(price(counts, 0, cost));
}
