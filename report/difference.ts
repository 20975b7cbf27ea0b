/**
 * Two results beside each other: which counts moved, which winners changed, what is only in one of them.
 *
 * Counts are deterministic, so a difference is exact: nothing is noise, and a count that moved was moved by somebody.
 */
import {
  counterNames,
  cycleCategories,
  type PointRow,
  type ResultRows,
} from "../bench/results/result.ts";
import { arrange, type Setting } from "./cases.ts";
import { pickMetric, scoreCase } from "./score.ts";
import { geometricMean } from "../bench/results/figures.ts";

/** A counter or a cause of cycles that moved. */
export interface Moved {
  readonly name: string;
  /** Rows in which it differs. */
  readonly rows: number;
  /** The row where it moved most, relative to the larger value. */
  readonly example: { readonly row: string; readonly before: number; readonly after: number };
}

export interface WinnerChange {
  readonly setting: string;
  readonly program: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Geometric mean of slowdowns of an engine in a setting. */
export interface MeanChange {
  readonly setting: string;
  readonly engine: string;
  readonly before: number;
  readonly after: number;
}

export interface Difference {
  /** Rows that both have: what moved in them. */
  readonly counts: readonly Moved[];
  readonly cycles: readonly Moved[];
  /** Rows that only one has, in words. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
  /** Histograms of walk lengths that differ, in words. */
  readonly walks: readonly string[];
  readonly winners: readonly WinnerChange[];
  readonly means: readonly MeanChange[];
}

export function differenceOf(before: ResultRows, after: ResultRows): Difference {
  const [old, now] = [byName(before.points), byName(after.points)];
  const pairs = [...old].flatMap(([name, row]) => {
    const other = now.get(name);
    return other === undefined ? [] : [{ name, row, other }];
  });
  return {
    counts: movedIn(pairs, ["checksum", "computeCyclesPerOp", ...counterNames], countOf),
    cycles: movedIn(pairs, cycleCategories, ({ cycles }, name) => cycles[name]),
    onlyBefore: [...old.keys()].filter((name) => !now.has(name)),
    onlyAfter: [...now.keys()].filter((name) => !old.has(name)),
    walks: walkChanges(before, after),
    winners: winnerChanges(before, after),
    means: meanChanges(before, after),
  };
}

/** Is there any? Points in another order are none. */
export function isDifferent({ winners: _winners, means: _means, ...facts }: Difference): boolean {
  // Winners and means follow from counts and cycles.
  return Object.values(facts).some((list) => list.length > 0);
}

type Counted = "checksum" | "computeCyclesPerOp" | (typeof counterNames)[number];

function countOf(row: PointRow, name: Counted): number {
  if (name === "checksum" || name === "computeCyclesPerOp") return row[name];
  return row.counters[name];
}

/** A point by what was run, whatever its place in its sweep. */
function rowName({ key, region }: Pick<PointRow, "key" | "region">): string {
  const { engine, workload, params, preset, backing, guestLevels, nestedLevels, seed } = key;
  const values = Object.entries(params).map(([name, value]) => `${name}=${value}`);
  const machine = `${preset} ${backing} ${guestLevels}-on-${nestedLevels}`;
  return [engine, workload, ...values, machine, `seed ${seed}`, region].join(" ");
}

/** A sweep may name a point twice; the second is told by a number. */
function byName(rows: readonly PointRow[]): Map<string, PointRow> {
  const named = new Map<string, PointRow>();
  for (const row of rows) {
    const name = rowName(row);
    let unique = name;
    for (let again = 2; named.has(unique); again++) unique = `${name} (${again})`;
    named.set(unique, row);
  }
  return named;
}

interface RowPair {
  readonly name: string;
  readonly row: PointRow;
  readonly other: PointRow;
}

function movedIn<N extends string>(
  pairs: readonly RowPair[],
  names: readonly N[],
  valueOf: (row: PointRow, name: N) => number,
): Moved[] {
  return names.flatMap((name): Moved[] => {
    const moved = pairs
      .map((pair) => ({
        row: pair.name,
        before: valueOf(pair.row, name),
        after: valueOf(pair.other, name),
      }))
      .filter(({ before, after }) => before !== after);
    const [example] = moved.toSorted((a, b) => shift(b) - shift(a));
    return example === undefined ? [] : [{ name, rows: moved.length, example }];
  });
}

function shift({ before, after }: Moved["example"]): number {
  return Math.abs(after - before) / Math.max(before, after);
}

function walkChanges(before: ResultRows, after: ResultRows): string[] {
  const histograms = ({ walks }: ResultRows) =>
    new Map(
      [...Map.groupBy(walks, rowName)].map(([name, rows]) => {
        const lengths = rows.map(({ references, walks: count }) => `${references}:${count}`);
        return [name, lengths.toSorted().join(" ")] as const;
      }),
    );
  const [old, now] = [histograms(before), histograms(after)];
  return [...old.keys()].filter((name) => now.has(name) && now.get(name) !== old.get(name));
}

function winnerChanges(before: ResultRows, after: ResultRows): WinnerChange[] {
  const winners = (rows: ResultRows) =>
    new Map(
      arrange(rows).flatMap((setting) =>
        setting.cases.map((one) => {
          const score = scoreCase(one, pickMetric(setting.cases));
          const name = JSON.stringify([setting.title, one.label]);
          return [name, { setting, one, names: [...score.winners] }] as const;
        }),
      ),
    );
  const now = winners(after);
  return [...winners(before)].flatMap(([name, { setting, one, names }]) => {
    const found = now.get(name)?.names;
    if (found === undefined || found.toSorted().join() === names.toSorted().join()) return [];
    return [{ setting: setting.title, program: one.label, before: names, after: found }];
  });
}

function meanChanges(before: ResultRows, after: ResultRows): MeanChange[] {
  const now = new Map(arrange(after).map((setting) => [setting.title, setting] as const));
  return arrange(before).flatMap((setting) => {
    const other = now.get(setting.title);
    if (other === undefined) return [];
    return setting.engines.flatMap((engine): MeanChange[] => {
      const [old, mean] = [meanOf(setting, engine), meanOf(other, engine)];
      if (old === null || mean === null || old === mean) return [];
      return [{ setting: setting.title, engine, before: old, after: mean }];
    });
  });
}

function meanOf({ cases }: Setting, engine: string): number | null {
  const medians = cases.flatMap((one) => {
    const summary = scoreCase(one, "slowdown").summaries.get(engine);
    return summary === undefined ? [] : [summary.median];
  });
  return medians.length === 0 ? null : geometricMean(medians);
}
