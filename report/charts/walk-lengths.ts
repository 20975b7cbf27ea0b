/**
 * Walk lengths: how many references a page walk takes, a histogram per engine.
 *
 * Histograms stand in rows of one panel, each on its own line, so that short walks under one engine and
 * long ones under another are seen at a glance.
 */
import { caseLabels, type Chart, frame, panelGrid } from "../chart.ts";
import type { Series } from "../cases.ts";
import { short } from "../format.ts";
import { engineColours, inkColour } from "../theme.ts";

/** A bar of 100% would touch the line above. */
const rowShare = 0.88;

export const walkLengths: Chart = {
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
    const { columns, width } = panelGrid(setting);
    const rows = engines.length;
    const names = engines.map((engine) => JSON.stringify(engine)).join(",");
    return {
      ...frame("Walk lengths: references per page walk under each engine", setting, [
        "Bar height: share of the engine's walks; number: mean references per walk",
      ]),
      data: { values: bars },
      columns,
      spacing: { row: 14, column: 22 },
      facet: {
        field: "case",
        type: "nominal",
        sort: [...labels.values()],
        header: { title: null },
      },
      spec: {
        width,
        height: rows * 22,
        encoding: {
          y: {
            type: "quantitative",
            title: null,
            scale: { domain: [0, rows], nice: false },
            axis: {
              values: engines.map((_, index) => rows - 1 - index),
              labelExpr: `[${names}][${rows - 1} - datum.value]`,
              labelBaseline: "bottom",
              domain: false,
              ticks: false,
              labelPadding: 6,
            },
          },
          x: {
            type: "quantitative",
            title: "references per walk (reads)",
            scale: { domain: [0, longest + 4], nice: false },
            axis: { tickMinStep: 1, tickCount: 7, grid: false, domain: false },
          },
        },
        layer: [
          {
            mark: { type: "rect" },
            encoding: {
              x: { field: "left", type: "quantitative" },
              x2: { field: "right" },
              y: { field: "base", type: "quantitative" },
              y2: { field: "top" },
              color: {
                field: "engine",
                type: "nominal",
                scale: { domain: [...engines], range: engineColours(engines) },
                legend: null,
              },
            },
          },
          {
            transform: [{ filter: "datum.isFirst" }],
            mark: { type: "text", align: "right", baseline: "bottom", fontSize: 9, dy: -2 },
            encoding: {
              x: { datum: longest + 4 },
              y: { field: "base", type: "quantitative" },
              text: { field: "mean" },
              color: { value: inkColour },
            },
          },
        ],
      },
    };
  },
};

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
      share: count / total,
      left: references - 0.42,
      right: references + 0.42,
      base,
      top: base + (rowShare * count) / total,
      mean: short(sum / total),
      isFirst: place === 0,
    }));
}
