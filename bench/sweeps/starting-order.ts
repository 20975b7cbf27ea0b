/**
 * In which order points start. Results do not depend on it; how long a run takes and what it says of its time left do.
 */
import { pointWeight } from "../points/point.ts";
import type { PointKey } from "../results/result.ts";

/**
 * One point of each program first, of middling size: what it takes tells what its program takes, long before the others of
 * it come (`remaining-work.ts`). Then the largest first: a long point started last would leave the other workers waiting.
 */
export function startingOrder(points: readonly PointKey[]): readonly PointKey[] {
  const largestFirst = points.toSorted((a, b) => pointWeight(b) - pointWeight(a) || a.id - b.id);
  const programs = Map.groupBy(largestFirst, ({ workload }) => workload);
  const scouts = new Set(
    [...programs.values()].map((ofOne) => ofOne[Math.floor(ofOne.length / 2)]),
  );
  return [
    ...largestFirst.filter((key) => scouts.has(key)),
    ...largestFirst.filter((key) => !scouts.has(key)),
  ];
}
