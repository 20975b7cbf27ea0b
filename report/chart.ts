/**
 * What every chart shares: its contract, its title block, its grid of panels.
 */
import type { TopLevelSpec } from "vega-lite";
import type { Case, Setting } from "./cases.ts";
import { footnotes } from "./footnotes.ts";
import { chartConfig } from "./theme.ts";

/** One figure: a typed Vega-Lite spec made from the rows of one setting. */
export interface Chart {
  /** Null when these rows have nothing to show in it. */
  spec(setting: Setting): TopLevelSpec | null;
}

/** The parts of a top-level spec that do not depend on the figure. */
export function frame(title: string, setting: Setting, remarks: readonly string[]) {
  const seeds = Math.max(...setting.cases.flatMap(({ series }) => series.map(seedCount)));
  const repeated = seeds > 1 ? `, ${seeds} seeds` : "";
  const notes = footnotes(setting.cases).lines;
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json" as const,
    title: { text: title, subtitle: [setting.title + repeated, ...remarks, ...notes] },
    config: chartConfig,
  };
}

/** Labels of cases as charts show them: with the marks of their footnotes. */
export function caseLabels({ cases }: Setting): ReadonlyMap<Case, string> {
  const notes = footnotes(cases);
  return new Map(cases.map((one) => [one, one.label + notes.markOf(one.note)]));
}

/** Panels in a row, and how wide each is: few panels may be wide, many must stay comparable. */
export function panelGrid({ cases }: Setting): {
  readonly columns: number;
  readonly width: number;
} {
  if (cases.length <= 2) return { columns: cases.length, width: 420 };
  if (cases.length <= 6) return { columns: 3, width: 280 };
  return { columns: 4, width: 210 };
}

function seedCount({ points }: Case["series"][number]): number {
  return points.length;
}
