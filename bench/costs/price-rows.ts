/**
 * From counts to rows: prices every point and region, and sets each against `native`.
 *
 * Pure, and the same for a fresh run and for counters read back from `points.csv`, so a repriced file has
 * the bytes of a run priced that way.
 */
import { type CostModel, price, totalCycles } from "./cost.ts";
import {
  baselineEngine,
  type PointKey,
  type PointResult,
  type PointRow,
  type Region,
  regions,
  type ResultRows,
  type WalkRow,
} from "../results/result.ts";

/** Which cost file prices a machine preset. */
export type CostChooser = (preset: string) => CostModel;

/** Rows of a run, in the order of point ids whatever order the points finished in. */
export function resultRows(results: readonly PointResult[], costFor: CostChooser): ResultRows {
  const sorted = results.toSorted((a, b) => a.key.id - b.key.id);
  return {
    points: reprice(sorted.flatMap(countRows), costFor),
    walks: sorted.flatMap(walkRows),
  };
}

/** What a row is made of before it is priced. */
export type CountRow = Omit<PointRow, "cost" | "cycles" | "cyclesTotal" | "slowdown">;

/** Prices rows from their counters; whatever they cost before is forgotten. */
export function reprice(rows: readonly CountRow[], costFor: CostChooser): PointRow[] {
  const priced = rows.map((row) => {
    const { key, region, label, checksum, computeCyclesPerOp, counters } = row;
    const cost = costFor(key.preset);
    const cycles = price(counters, computeCyclesPerOp, cost);
    const cyclesTotal = totalCycles(cycles);
    const counted = { key, region, label, checksum, computeCyclesPerOp, counters };
    return { ...counted, cost: cost.name, cycles, cyclesTotal };
  });
  const baselines = Map.groupBy(
    priced.filter(({ key }) => key.engine === baselineEngine),
    programOf,
  );
  return priced.map((row) => {
    const baseline = baselineOf(row, baselines.get(programOf(row)) ?? []);
    return { ...row, slowdown: ratio(row.cyclesTotal, baseline?.cyclesTotal ?? 0) };
  });
}

function countRows({ key, regions: results, ...rest }: PointResult): CountRow[] {
  const { label, checksum, computeCyclesPerOp } = rest;
  return regions.map((region) => ({
    key,
    region,
    label,
    checksum,
    computeCyclesPerOp,
    counters: results[region].ledger,
  }));
}

function walkRows({ key, regions: results }: PointResult): WalkRow[] {
  return regions.flatMap((region) =>
    results[region].walkLengths.flatMap((walks, references) =>
      walks === 0 ? [] : [{ key, region, references, walks }],
    ),
  );
}

/** What the guest executed: equal for every engine that is compared. */
function programOf({ key, region }: { readonly key: PointKey; readonly region: Region }): string {
  const { workload, params, preset, guestLevels, seed } = key;
  return JSON.stringify([workload, params, preset, guestLevels, seed, region]);
}

/** Bare metal has no second dimension, so a sweep may run it once for all host page sizes. */
function baselineOf<R extends { readonly key: PointKey }>(
  { key }: { readonly key: PointKey },
  candidates: readonly R[],
): R | undefined {
  const exact = candidates.find(
    (row) => row.key.backing === key.backing && row.key.nestedLevels === key.nestedLevels,
  );
  return exact ?? candidates[0];
}

/** Six significant digits, so that a number read back from a file is the same number. */
function ratio(cycles: number, baseline: number): number | null {
  return baseline === 0 ? null : Number((cycles / baseline).toPrecision(6));
}
