/**
 * Names of one point, for people and for ordering.
 */
import type { PointKey } from "../results/result.ts";

/** `point 12 (ept uniform pages=16 on skylake, seed 1)`: enough to run it again by hand. */
export function describePoint({ id, engine, workload, params, preset, seed }: PointKey): string {
  const values = Object.entries(params).map(([name, value]) => ` ${name}=${value}`);
  return `point ${id} (${engine} ${workload}${values.join("")} on ${preset}, seed ${seed})`;
}

/** Accesses that one unit of a parameter brings, by the end of its name: orders of magnitude, no more. */
const accessesPerUnit: readonly (readonly [ending: RegExp, accesses: number])[] = [
  [/accesses$/i, 1],
  [/ops$/i, 5],
  [/(?:pages|leaves)$/i, 5],
  [/(?:requests|lookups|calls|switches)$/i, 20],
  [/(?:forks|jobs)$/i, 1000],
  [/rounds$/i, 20_000],
];

/**
 * About how many accesses a point performs. It decides the order of starting and who gets code of its own,
 * never a result.
 */
export function pointWeight({ params }: PointKey): number {
  let weight = 10_000;
  for (const [name, value] of Object.entries(params)) {
    const [, accesses = 0] = accessesPerUnit.find(([ending]) => ending.test(name)) ?? [];
    if (typeof value === "number") weight += value * accesses;
  }
  return weight;
}
