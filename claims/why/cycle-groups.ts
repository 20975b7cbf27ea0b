/**
 * Cycles by what a scheme's designers argue about: walks, exits, software, and the guest's own work.
 */
import { type CycleCategory, cycleCategories, type PointRow } from "../../bench/results/result.ts";

export type CycleGroup = "guest" | "walks" | "exits" | "software";

function groupOf(category: CycleCategory): CycleGroup {
  if (category.startsWith("exit")) return "exits";
  if (category.startsWith("walk")) return "walks";
  return category.startsWith("guest") ? "guest" : "software";
}

/** The row's cycles in a group. */
export function cyclesIn({ cycles }: PointRow, group: CycleGroup): number {
  return cycleCategories
    .filter((category) => groupOf(category) === group)
    .reduce((sum, category) => sum + cycles[category], 0);
}
