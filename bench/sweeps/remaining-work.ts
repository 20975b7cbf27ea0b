/**
 * How much of many points is still to be done, learnt from those that are done.
 *
 * `pointWeight` knows a program by the names of its parameters, to an order of magnitude; what a point really took tells how
 * far off that is for its workload, and for its engine. So the last points of a slow workload count as what they are.
 */
import type { HostCost } from "../host-time.ts";
import { pointWeight } from "../points/point.ts";
import type { PointKey, PointResult } from "../results/result.ts";

/** Work measured, in whatever unit, beside the weight that was expected. */
interface Experience {
  work: number;
  weight: number;
}

/** What a finished point took. */
export interface PointCost {
  readonly accesses: number;
  /** Of a worker; null where nobody measured it. */
  readonly milliseconds: number | null;
}

export function costOf({ regions }: PointResult, { hostMilliseconds }: HostCost): PointCost {
  const accesses = regions.setup.ledger.accesses + regions.measured.ledger.accesses;
  return { accesses, milliseconds: hostMilliseconds };
}

export interface RemainingWork {
  /** A point is done; `work` is what it took: milliseconds of a worker, or accesses where nobody timed it. */
  finish(key: PointKey, work: number): void;
  /** Expected of all points that are not done, in the unit of `finish`. */
  left(): number;
}

export function remainingWork(points: readonly PointKey[]): RemainingWork {
  const open = new Map(points.map((key) => [key.id, key]));
  const known = new Map<string, Experience>();
  const learn = (name: string, work: number, weight: number) => {
    const experience = known.get(name) ?? { work: 0, weight: 0 };
    known.set(name, { work: experience.work + work, weight: experience.weight + weight });
  };
  const expected = (key: PointKey): number => {
    const names = namesOf(key);
    const nearest = names.map((name) => known.get(name)).find((one) => one !== undefined);
    return nearest === undefined ? 0 : (pointWeight(key) * nearest.work) / nearest.weight;
  };
  return {
    finish(key, work) {
      open.delete(key.id);
      for (const name of namesOf(key)) learn(name, work, pointWeight(key));
    },
    left: () => Array.from(open.values(), expected).reduce((sum, one) => sum + one, 0),
  };
}

/** From the nearest experience to the farthest. */
function namesOf({ engine, workload }: PointKey): readonly string[] {
  return [`${workload} ${engine}`, workload, ""];
}
