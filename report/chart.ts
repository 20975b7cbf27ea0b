/**
 * What every chart shares: its contract, its title block, its grid of panels.
 */
import type { TopLevelSpec } from "vega-lite";
import { type Case, seedsMax, type Setting } from "./cases.ts";
import { footnotes } from "./footnotes.ts";
import { wrapWords } from "./text-grid.ts";
import { chartConfig } from "./theme.ts";

/** One layer of a figure of several marks. */
export type Layer = Extract<TopLevelSpec, { layer: unknown }>["layer"][number];

/** One figure: a typed Vega-Lite spec made from the rows of one setting. */
export interface Chart {
  /** What it answers, for a heading. */
  readonly question: string;
  /** Null when these rows have nothing to show in it. */
  spec(setting: Setting): TopLevelSpec | null;
}

/** The parts of a top-level spec that do not depend on the figure. */
export function frame(title: string, setting: Setting, remarks: readonly string[]) {
  const seeds = seedsMax(setting);
  const repeated = seeds > 1 ? `, up to ${seeds} seeds` : "";
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

/** Panels in a row, and how wide each is, in pixels. */
export interface PanelGrid {
  readonly columns: number;
  readonly width: number;
}

/** Few panels may be wide, many must stay comparable. */
export function panelGrid(panels: number): PanelGrid {
  if (panels <= 2) return { columns: panels, width: 420 };
  if (panels <= 6) return { columns: 3, width: 280 };
  if (panels <= 24) return { columns: 4, width: 210 };
  return { columns: 5, width: 180 };
}

const columnGap = 22;

/** A panel per case. Each has its own scale and axis: a shared axis would stand below the last row only. */
export function facetByCase(labels: readonly string[], { columns }: PanelGrid) {
  // Parameters stand below the name: a panel is narrower than both in one line.
  const first = "split(datum.label, ' ')[0]";
  const twoLines = `[${first}, slice(datum.label, length(${first}) + 1)]`;
  const hasParams = labels.some((label) => label.includes(" "));
  return {
    columns,
    spacing: { row: 16, column: columnGap },
    facet: {
      field: "case",
      type: "nominal" as const,
      sort: [...labels],
      header: { title: null, ...(hasParams ? { labelExpr: twoLines } : {}) },
    },
    resolve: { scale: { x: "independent" as const } },
  };
}

/** Of the small font, in pixels. */
const letterWidth = 7;

/** Characters of the small font that fit over all panels, engine names included. */
function textWidth({ columns, width }: PanelGrid): number {
  return Math.floor((columns * (width + columnGap) + 80) / letterWidth);
}

/** As many legend entries in a row as fit over the panels. */
export function legendColumns(names: readonly string[], grid: PanelGrid): number {
  const entry = Math.max(...names.map(({ length }) => length)) + 6;
  return Math.max(1, Math.min(names.length, Math.floor(textWidth(grid) / entry)));
}

/** `about: name, name, ...`, broken so that it stays over the panels. */
export function remarkLines(
  about: string,
  names: readonly string[],
  grid: PanelGrid,
): readonly string[] {
  return names.length === 0 ? [] : wrapWords(`${about}: ${names.join(", ")}`, textWidth(grid));
}
