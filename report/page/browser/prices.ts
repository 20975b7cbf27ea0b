/**
 * Rows under the prices that the reader sets: the counts are here, so cycles are arithmetic.
 *
 * While a slider is drawn only the measured regions are priced, which all comparisons are made of; set-up regions
 * follow when somebody asks for all rows.
 */
import { reprice } from "../../../bench/costs/price-rows.ts";
import type { CostModel } from "../../../bench/costs/cost.ts";
import type { PointRow, ResultRows } from "../../../bench/results/result.ts";
import { type KnobName, knobNames, knobs } from "./knobs.ts";

/** By which each price is multiplied; a knob that is missing is left alone. */
export type Factors = Readonly<Partial<Record<KnobName, number>>>;

export interface Prices {
  /** Measured regions as they are priced now, without walks. */
  readonly measured: () => ResultRows;
  /** All rows as they are priced now. */
  readonly all: () => ResultRows;
  /** Prices anew and tells all listeners. */
  readonly set: (factors: Factors) => void;
  readonly onChange: (listener: () => void) => void;
}

/** Null when a row was priced by a file that does not ship: then nothing here could price it again. */
export function livePrices(
  original: ResultRows,
  costs: Readonly<Record<string, CostModel>>,
): Prices | null {
  const costOf = new Map(original.points.map(({ key, cost }) => [key.preset, cost]));
  if ([...costOf.values()].some((name) => costs[name] === undefined)) return null;
  const counted = original.points.filter(({ region }) => region === "measured");
  let measured: readonly PointRow[] = counted;
  let all: ResultRows | null = original;
  let priced = (rows: readonly PointRow[]): PointRow[] => [...rows];
  const listeners: (() => void)[] = [];
  return {
    measured: () => ({ points: measured, walks: [] }),
    all: () => (all ??= { ...original, points: priced(original.points) }),
    set: (factors) => {
      const models = new Map(
        Object.entries(costs).map(([name, cost]) => [name, scaledBy(cost, factors)] as const),
      );
      priced = (rows) =>
        reprice(rows, (preset) => {
          const model = models.get(costOf.get(preset) ?? "");
          if (model === undefined) throw new Error(`page: no prices for ${preset}`);
          return model;
        });
      measured = priced(counted);
      all = null;
      for (const listener of listeners) listener();
    },
    onChange: (listener) => void listeners.push(listener),
  };
}

function scaledBy(cost: CostModel, factors: Factors): CostModel {
  return knobNames.reduce((model, name) => knobs[name].scaled(model, factors[name] ?? 1), cost);
}
