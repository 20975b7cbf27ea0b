/**
 * The programs of a setting as two engines raced through them, at the prices of the moment: who won, and where each
 * program lies by the two rates that decide.
 */
import type { PointRow } from "../../../bench/results/result.ts";
import { perThousand, updatesPerThousand, walkCycles } from "../../../bench/results/figures.ts";
import type { Setting } from "../../cases.ts";
import { headlineCases } from "../../headline-programs.ts";
import { programWords } from "../../program-words.ts";
import { type Pair, type Race, racesOf, type Winner, winnerOf } from "../../story.ts";

export interface RacedProgram extends Omit<Race, "of"> {
  readonly name: string;
  /** One of those that means are over. */
  readonly isHeadline: boolean;
  readonly winner: Winner;
  /** TLB misses, and table changes with their flushes, per 1000 accesses. */
  readonly misses: number;
  readonly updates: number;
  /** Cycles that nested paging adds per miss, and shadow paging per update; null where there are too few to say. */
  readonly perMiss: number | null;
  readonly perUpdate: number | null;
}

/** Rates below these are accidents. */
const missesMin = 1;
const updatesMin = 0.1;

export function racedPrograms(setting: Setting, pair: Pair): RacedProgram[] {
  const headline = headlineCases(setting);
  return racesOf(setting, pair).flatMap(({ of, ...race }) => {
    const rowOf = (engine: string) => of.series.find((one) => one.engine === engine)?.points[0];
    const [shadow, nested] = [rowOf(pair.shadow), rowOf(pair.nested)];
    if (shadow === undefined || nested === undefined) return [];
    const misses = perThousand(nested, "stlbMisses");
    const updates = updatesPerThousand(nested);
    const perAccess = (row: PointRow, cycles: number) =>
      (1000 * cycles) / Math.max(1, row.counters.accesses);
    const walks = perAccess(nested, walkCycles(nested)) - perAccess(shadow, walkCycles(shadow));
    const work = perAccess(shadow, exitWork(shadow)) - perAccess(nested, exitWork(nested));
    return [
      {
        name: programWords(of),
        isHeadline: headline.includes(of),
        ...race,
        winner: winnerOf(race),
        misses,
        updates,
        perMiss: misses < missesMin ? null : walks / misses,
        perUpdate: updates < updatesMin ? null : work / updates,
      },
    ];
  });
}

/** Exits and the software behind them. */
function exitWork({ cycles }: PointRow): number {
  return Object.entries(cycles)
    .filter(([name]) => /^(?:exit|hypervisor)/.test(name))
    .reduce((sum, [, spent]) => sum + spent, 0);
}

/**
 * The closed form: updates per 1000 accesses = slope x misses per 1000 accesses is where both cost the same. What the median
 * miss and the median update cost: not of programs, for most of them hardly miss, and a miss of theirs that costs nothing
 * says nothing of those that do. Null where nothing misses or changes.
 */
export function slopeOf(programs: readonly RacedProgram[]): number | null {
  const perMiss = median(programs, ({ perMiss: price, misses }) => ({ price, count: misses }));
  const perUpdate = median(programs, ({ perUpdate: price, updates }) => ({
    price,
    count: updates,
  }));
  if (perMiss === null || perUpdate === null) return null;
  // Free updates: shadow paging wins everywhere.
  return perUpdate <= 0 ? Infinity : Math.max(0, perMiss) / perUpdate;
}

interface Priced {
  readonly price: number | null;
  readonly count: number;
}

/** The price that half of all events are below. */
function median(
  programs: readonly RacedProgram[],
  pricedOf: (program: RacedProgram) => Priced,
): number | null {
  const priced = programs.flatMap((one) => {
    const { price, count } = pricedOf(one);
    return price === null ? [] : [{ price, count }];
  });
  const all = priced.reduce((sum, { count }) => sum + count, 0);
  let below = 0;
  for (const { price, count } of priced.toSorted((a, b) => a.price - b.price)) {
    below += count;
    if (below >= all / 2) return price;
  }
  return null;
}
