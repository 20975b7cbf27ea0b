/**
 * What a setting says as a whole: a mean per engine, and how often each family of schemes was the faster.
 *
 * A mean is over the headline programs, each once, and fair: a program that some engine did not run, or in which some engine
 * kept no dirty log, takes no part.
 */
import { baselineEngine } from "../bench/results/result.ts";
import type { Case, Setting } from "./cases.ts";
import { headlineCases } from "./headline-programs.ts";
import { isDraw, type Metric, type Score, scoreCase } from "./score.ts";
import type { Summary } from "./statistics.ts";
import { geometricMean } from "../bench/results/figures.ts";

/** By name of the engine: `bare`, `shadow` or `nested`. */
export type Families = Readonly<Record<string, string>>;

export interface ProgramMeans {
  /** Workloads behind each mean. */
  readonly programs: number;
  readonly means: readonly { readonly engine: string; readonly mean: number }[];
}

export function programMeans(setting: Setting, metric: Metric): ProgramMeans {
  const compared = setting.engines.filter((engine) => engine !== baselineEngine);
  const fair = headlineCases(setting)
    .map((one) => scoreCase(one, metric))
    .filter((score) => isFair(score, compared));
  if (fair.length === 0) return { programs: 0, means: [] };
  const mean = (engine: string) =>
    geometricMean(fair.map(({ summaries }) => summaries.get(engine)?.median ?? Number.NaN));
  return {
    programs: fair.length,
    means: compared.map((engine) => ({ engine, mean: mean(engine) })),
  };
}

function isFair({ summaries, unlogged }: Score, engines: readonly string[]): boolean {
  return engines.every((engine) => summaries.has(engine) && !unlogged.has(engine));
}

export interface Wins {
  readonly shadow: number;
  readonly nested: number;
  readonly draws: number;
}

/** The best of one family against the best of the other, row by row; null where a family did not run. */
export function countWins(
  { cases }: Pick<Setting, "cases">,
  metric: Metric,
  families: Families,
): Wins | null {
  const wins = { shadow: 0, nested: 0, draws: 0 };
  const named = cases.flatMap((one) => winnerOf(one, metric, families) ?? []);
  if (named.length === 0) return null;
  for (const winner of named) wins[winner] += 1;
  return wins;
}

function winnerOf(one: Case, metric: Metric, families: Families): keyof Wins | null {
  const { summaries, unlogged } = scoreCase(one, metric);
  const bestOf = (family: string) =>
    [...summaries]
      .filter(([engine]) => families[engine] === family && !unlogged.has(engine))
      .map(([, summary]) => summary)
      .reduce<Summary | null>(
        (best, summary) => (best === null || summary.median < best.median ? summary : best),
        null,
      );
  const [shadow, nested] = [bestOf("shadow"), bestOf("nested")];
  if (shadow === null || nested === null) return null;
  const isShadowFirst = shadow.median <= nested.median;
  const isEven = isShadowFirst ? isDraw(shadow, nested) : isDraw(nested, shadow);
  if (isEven) return "draws";
  return isShadowFirst ? "shadow" : "nested";
}
