/**
 * The rows of a result as the page carries them: one list per column, columns of zeros left out.
 *
 * A row names its point by place, and what all points share is written once. That is a third of the bytes
 * of the CSV, which decides how large a sweep still fits into a file that can be mailed.
 */
import type { TopLevelSpec } from "vega-lite";
import type { CostModel } from "../../bench/costs/cost.ts";
import {
  counterNames,
  createLedger,
  cycleCategories,
  type Cycles,
  type PointKey,
  type PointRow,
  type ResultRows,
  type WalkRow,
} from "../../bench/results/result.ts";

/** What the browser half of the page starts from. */
export interface PageData {
  readonly rows: PackedRows;
  /** Prices by the name of their cost file. */
  readonly costs: Readonly<Record<string, CostModel>>;
  /** Figures that were drawn elsewhere, by the name that their place in the page bears. */
  readonly figures: Readonly<Record<string, TopLevelSpec>>;
}

type Row = Omit<PointRow, "key" | "counters" | "cycles">;

export interface PackedRows {
  readonly keys: readonly PointKey[];
  readonly points: readonly (Row & { readonly at: number })[];
  readonly counters: Columns;
  readonly cycles: Columns;
  /** Place of the key, region, references, walks. */
  readonly walks: readonly (readonly [number, WalkRow["region"], number, number])[];
}

/** A column per name, a value per row. */
type Columns = Readonly<Record<string, readonly number[]>>;

export function packRows({ points, walks }: ResultRows): PackedRows {
  const places = new Map<number, number>();
  const keys: PointKey[] = [];
  for (const { key } of points) {
    if (places.has(key.id)) continue;
    places.set(key.id, keys.length);
    keys.push(key);
  }
  return {
    keys,
    points: points.map(({ key, counters: _counters, cycles: _cycles, ...row }) => ({
      at: places.get(key.id) ?? 0,
      ...row,
    })),
    counters: columns(counterNames, (name) => points.map(({ counters }) => counters[name])),
    cycles: columns(cycleCategories, (name) => points.map(({ cycles }) => cycles[name])),
    walks: walks.flatMap(({ key, region, references, walks: count }) => {
      const at = places.get(key.id);
      return at === undefined ? [] : [[at, region, references, count] as const];
    }),
  };
}

export function unpackRows({ keys, points, counters, cycles, walks }: PackedRows): ResultRows {
  const keyAt = (at: number): PointKey => {
    const key = keys[at];
    if (key === undefined) throw new Error(`page: no point ${at} among ${keys.length}`);
    return key;
  };
  return {
    points: points.map(({ at, ...row }, index) => ({
      key: keyAt(at),
      ...row,
      counters: { ...createLedger(), ...valuesAt(counters, index) },
      cycles: { ...noCycles, ...valuesAt(cycles, index) },
    })),
    walks: walks.map(([at, region, references, count]) => ({
      key: keyAt(at),
      region,
      references,
      walks: count,
    })),
  };
}

const noCycles = Object.fromEntries(cycleCategories.map((name) => [name, 0])) as Cycles;

function columns<N extends string>(
  names: readonly N[],
  valuesOf: (name: N) => readonly number[],
): Columns {
  const all = names.map((name) => [name, valuesOf(name)] as const);
  return Object.fromEntries(all.filter(([, values]) => values.some((value) => value !== 0)));
}

function valuesAt(all: Columns, index: number): Record<string, number> {
  return Object.fromEntries(
    Object.entries(all).map(([name, values]) => [name, values[index] ?? 0]),
  );
}
