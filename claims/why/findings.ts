/**
 * Finished points as experiments read them: by what they asked for, priced as they like.
 */
import { assert } from "../../machine/assert.ts";
import type { CostChooser } from "../../bench/costs/price-rows.ts";
import { baselineEngine, type PointRow, type ResultRows } from "../../bench/results/result.ts";
import { identity, keyOf, type WhyPoint } from "./plan.ts";

export interface Findings {
  /** The measured region. */
  readonly row: (point: WhyPoint) => PointRow;
  /** The same program on bare metal. */
  readonly native: (point: WhyPoint) => PointRow;
  readonly costFor: CostChooser;
}

export function findingsOf({ points }: ResultRows, costFor: CostChooser): Findings {
  const measured = points.filter(({ region }) => region === "measured");
  const byKey = new Map(measured.map((row) => [identity(row.key), row]));
  const row = (point: WhyPoint): PointRow => {
    const found = byKey.get(identity(keyOf(point)));
    assert(found !== undefined, `why: no such point: ${JSON.stringify(point)}`);
    return found;
  };
  return {
    row,
    native: (point) => row({ ...point, engine: baselineEngine }),
    costFor,
  };
}

/** `points.csv rows 3, 4`: where a reader finds them. */
export function rowNames(rows: readonly PointRow[]): string {
  const ids = rows.map(({ key }) => key.id).toSorted((a, b) => a - b);
  const runs: string[] = [];
  for (let from = 0; from < ids.length;) {
    let to = from;
    while (to + 1 < ids.length && (ids[to + 1] ?? 0) <= (ids[to] ?? 0) + 1) to += 1;
    runs.push(ids[from] === ids[to] ? `${ids[from]}` : `${ids[from]}-${ids[to]}`);
    from = to + 1;
  }
  return `points.csv ids ${runs.join(", ")} (measured)`;
}
