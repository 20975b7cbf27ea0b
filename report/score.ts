/**
 * The score of a case: what each engine needed, who won, and by how much.
 */
import { baselineEngine } from "../bench/results/result.ts";
import type { Case, Series } from "./cases.ts";
import { type Summary, summarize } from "./statistics.ts";

/** `slowdown` needs `native` rows; without them engines are compared by cycles per access. */
export type Metric = "slowdown" | "cycles";

export const metricTitles: Readonly<Record<Metric, string>> = {
  slowdown: "Slowdown over native",
  cycles: "Cycles per access (no native rows to compare with)",
};

export interface Score {
  readonly summaries: ReadonlyMap<string, Summary>;
  /** The fastest engine, and those that cannot be told from it. `native` takes no part. */
  readonly winners: ReadonlySet<string>;
  /** The next engine over the winner; null when there is none. */
  readonly lead: number | null;
  /** Engines that reported no dirty page where others did: they answered another question and win nothing. */
  readonly unlogged: ReadonlySet<string>;
}

/** Medians closer than this are a draw whatever their spread: no cost file is that exact. */
const drawRatio = 1.005;

/** Cannot the slower be told from the faster? */
export function isDraw(faster: Summary, slower: Summary): boolean {
  return slower.median <= faster.median * drawRatio || slower.min <= faster.max;
}

export function pickMetric(cases: readonly Case[]): Metric {
  const hasSlowdown = cases.some(({ series }) =>
    series.some(
      ({ engine, points }) =>
        engine !== baselineEngine && points.some(({ slowdown }) => slowdown !== null),
    ),
  );
  return hasSlowdown ? "slowdown" : "cycles";
}

export function scoreCase({ series }: Case, metric: Metric): Score {
  const summaries = new Map(
    series.flatMap((one) => {
      const values = valuesOf(one, metric);
      return values.length === 0 ? [] : [[one.engine, summarize(values)] as const];
    }),
  );
  const unlogged = unloggedOf(series);
  const ranked = [...summaries]
    .filter(([engine]) => engine !== baselineEngine && !unlogged.has(engine))
    .toSorted(([, a], [, b]) => a.median - b.median);
  const best = ranked[0]?.[1];
  if (best === undefined) return { summaries, winners: new Set(), lead: null, unlogged };
  const next = ranked.find(([, summary]) => !isDraw(best, summary));
  const equal = ranked.filter(([, summary]) => isDraw(best, summary));
  return {
    summaries,
    winners: new Set(equal.map(([engine]) => engine)),
    lead: next === undefined ? null : next[1].median / best.median,
    unlogged,
  };
}

function unloggedOf(series: Case["series"]): ReadonlySet<string> {
  const hasLogged = ({ points }: Series) =>
    points.some(({ counters }) => counters.dirtyPagesReported > 0);
  if (!series.some(hasLogged)) return new Set();
  return new Set(series.filter((one) => !hasLogged(one)).map(({ engine }) => engine));
}

/** One value per seed. */
function valuesOf({ points }: Series, metric: Metric): number[] {
  if (metric === "slowdown") {
    return points.flatMap(({ slowdown }) => (slowdown === null ? [] : [slowdown]));
  }
  return points.map(({ cyclesTotal, counters }) => cyclesTotal / Math.max(1, counters.accesses));
}
