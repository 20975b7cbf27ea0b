/**
 * Downtime against the link's bandwidth, a line per engine, a panel per program: where pre-copy stops paying.
 */
import type { TopLevelSpec } from "vega-lite";
import type { MigrationResult } from "../../bench/results/result.ts";
import { facetByCase, legendColumns, panelGrid } from "../chart.ts";
import { rounded } from "../format.ts";
import { pointName } from "../migration-names.ts";
import { chartConfig, engineColours } from "../theme.ts";

/** Grid lines of the logarithmic axis, in ms. */
const steps = [0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/** Of guests that are neither throttled nor moved early; null when all of them went over the same link. */
export function migrationDowntime(all: readonly MigrationResult[]): TopLevelSpec | null {
  const results = all.filter(({ key: { migration } }) => {
    return migration.mode === "precopy" && migration.autoConverge === 0;
  });
  const bandwidths = new Set(results.map(({ key }) => key.migration.bandwidthBitsPerSecond));
  if (bandwidths.size < 2) return null;
  const engines = [...new Set(results.map(({ key }) => key.engine))];
  const labels = [...new Set(results.map((result) => panelName(result, results)))];
  const grid = panelGrid(labels.length);
  const colour = {
    field: "engine",
    type: "nominal",
    title: null,
    scale: { domain: engines, range: engineColours(engines) },
  } as const;
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: {
      text: "Downtime against bandwidth",
      subtitle: [
        "Hollow: the rule never said stop, and the guest was stopped when its program ended",
      ],
    },
    config: chartConfig,
    data: {
      values: results.map((result) => ({
        case: panelName(result, results),
        engine: result.key.engine,
        gigabits: rounded(result.key.migration.bandwidthBitsPerSecond / 1e9),
        downtimeMs: rounded(result.outcome.downtimeMs),
        converged: result.outcome.verdict !== "forced",
      })),
    },
    ...facetByCase(labels, grid),
    resolve: { scale: { x: "independent", y: "independent" } },
    spec: {
      width: grid.width,
      height: 160,
      encoding: {
        x: {
          field: "gigabits",
          type: "quantitative",
          title: "bandwidth of the link (Gbit/s), logarithmic",
          scale: { type: "log", nice: false, padding: 12 },
          axis: { grid: false, values: [...bandwidths].map((bits) => rounded(bits / 1e9)) },
        },
        y: {
          field: "downtimeMs",
          type: "quantitative",
          title: "downtime (ms), logarithmic",
          scale: { type: "log" },
          axis: { values: [...steps], format: "~g" },
        },
        color: {
          ...colour,
          legend: { orient: "top", columns: legendColumns(engines, grid) },
        },
      },
      layer: [
        { mark: { type: "line", strokeWidth: 1.5, opacity: 0.7 } },
        {
          mark: { type: "point", size: 45, strokeWidth: 1.5, opacity: 1 },
          encoding: {
            fill: {
              condition: { test: "datum.converged", ...colour },
              value: "white",
            },
          },
        },
      ],
    },
  };
}

function panelName(result: MigrationResult, results: readonly MigrationResult[]): string {
  return pointName(result.key, results);
}
