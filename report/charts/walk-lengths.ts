/**
 * Walk lengths: how many references a page walk takes, a histogram per engine.
 *
 * Histograms stand in rows of one panel, each on its own line, so that short walks under one engine and
 * long ones under another are seen at a glance.
 */
import { caseLabels, type Chart, facetByCase, frame, type Layer, panelGrid } from "../chart.ts";
import type { Series } from "../cases.ts";
import { rounded, short } from "../format.ts";
import { engineColours, inkColour } from "../theme.ts";

/** A bar of 100% would touch the line above. */
const rowShare = 0.88;
/** Bins kept free behind the longest walk, for the mean. */
const room = 6;

export const walkLengths: Chart = {
  question: "How long are the walks?",
  spec(setting) {
    const labels = caseLabels(setting);
    const { engines } = setting;
    // Lines count from the bottom; the first engine is at the top.
    const baseOf = (engine: string) => engines.length - 1 - engines.indexOf(engine);
    const bars = setting.cases.flatMap((one) =>
      one.series.flatMap((series) =>
        histogram(series, baseOf(series.engine), labels.get(one) ?? one.label),
      ),
    );
    if (bars.length === 0) return null;
    const longest = Math.max(...bars.map(({ references }) => references));
    const shown = [...new Set(bars.map((bar) => bar.case))];
    const grid = panelGrid(shown.length);
    return {
      ...frame("Walk lengths: references per page walk under each engine", setting, [
        "Bar height: share of the engine's walks; number: mean references per walk",
      ]),
      data: { values: bars },
      ...facetByCase(shown, grid),
      spec: {
        width: grid.width,
        height: engines.length * 24,
        encoding: { x: lengthAxis(longest), y: engineAxis(engines) },
        layer: [barLayer(engines), meanLayer(longest)],
      },
    };
  },
};

function lengthAxis(longest: number) {
  return {
    type: "quantitative" as const,
    title: "references per walk (reads)",
    scale: { domain: [0, longest + room], nice: false },
    axis: { values: tickLengths(longest), grid: false, domain: false },
  };
}

/** Engine names at the base lines of their histograms. */
function engineAxis(engines: readonly string[]) {
  const last = engines.length - 1;
  const names = engines.map((engine) => JSON.stringify(engine)).join(",");
  return {
    type: "quantitative" as const,
    title: null,
    scale: { domain: [0, engines.length], nice: false },
    axis: {
      values: engines.map((_, index) => last - index),
      labelExpr: `[${names}][${last} - datum.value]`,
      labelBaseline: "bottom" as const,
      domain: false,
      ticks: false,
      labelPadding: 6,
    },
  };
}

function barLayer(engines: readonly string[]): Layer {
  const scale = { domain: [...engines], range: engineColours(engines) };
  const colour = { field: "engine", type: "nominal" as const, scale, legend: null };
  return {
    mark: { type: "rect" },
    encoding: {
      x: { field: "left", type: "quantitative" },
      x2: { field: "right" },
      y: { field: "base", type: "quantitative" },
      y2: { field: "top" },
      color: colour,
      // A thin line keeps a share of one percent visible.
      stroke: colour,
    },
  };
}

function meanLayer(longest: number): Layer {
  return {
    transform: [{ filter: "datum.isFirst" }],
    mark: { type: "text", align: "right", baseline: "bottom", fontSize: 12, dy: -2 },
    encoding: {
      x: { datum: longest + room },
      y: { field: "base", type: "quantitative" },
      text: { field: "mean" },
      color: { value: inkColour },
    },
  };
}

/** One, and the multiples of four up to the longest walk: 4 and 24 are the closed forms of four levels. */
function tickLengths(longest: number): number[] {
  const fours = Array.from({ length: Math.floor(longest / 4) }, (_, index) => 4 * (index + 1));
  return [1, ...fours];
}

/** One rectangle per length, all seeds together. */
function histogram({ engine, walks }: Series, base: number, label: string) {
  const counts = new Map<number, number>();
  for (const { references, walks: count } of walks) {
    counts.set(references, (counts.get(references) ?? 0) + count);
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const sum = [...counts].reduce((all, [references, count]) => all + references * count, 0);
  return [...counts]
    .toSorted(([a], [b]) => a - b)
    .map(([references, count], place) => ({
      case: label,
      engine,
      references,
      share: rounded(count / total),
      left: references - 0.4,
      right: references + 0.4,
      base,
      top: rounded(base + (rowShare * count) / total),
      mean: short(sum / total),
      isFirst: place === 0,
    }));
}
