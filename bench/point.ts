/**
 * Names of one point, for people and for ordering.
 */
import type { PointKey } from "./result.ts";

/** `point 12 (ept uniform pages=16 on skylake, seed 1)`: enough to run it again by hand. */
export function describePoint({ id, engine, workload, params, preset, seed }: PointKey): string {
  const values = Object.entries(params).map(([name, value]) => ` ${name}=${value}`);
  return `point ${id} (${engine} ${workload}${values.join("")} on ${preset}, seed ${seed})`;
}

/** Words in a parameter's name that say how often the program does something. */
const repetitions = ["accesses", "ops", "lookups", "switches", "calls", "rounds", "requests"];

/** A rough share of the work, for the order of starting only: what a point repeats, times its engine's cost. */
export function pointWeight({ params, engine }: PointKey): number {
  let weight = 100_000;
  for (const [name, value] of Object.entries(params)) {
    if (
      typeof value === "number" &&
      repetitions.some((word) => name.toLowerCase().includes(word))
    ) {
      weight += value;
    }
  }
  return engine === "native" ? weight : 2 * weight;
}
