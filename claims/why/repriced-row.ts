/**
 * A row as another cost file prices it.
 */
import { type CostModel, price, totalCycles } from "../../bench/costs/cost.ts";
import type { PointRow } from "../../bench/results/result.ts";

export function repricedRow(row: PointRow, cost: CostModel): PointRow {
  const cycles = price(row.counters, row.computeCyclesPerOp, cost);
  return { ...row, cost: cost.name, cycles, cyclesTotal: totalCycles(cycles), slowdown: null };
}
