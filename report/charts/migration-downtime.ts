/**
 * Downtime against the link's bandwidth, a line per engine, a panel per program: where pre-copy stops paying.
 */
import type { TopLevelSpec } from "vega-lite";
import type { MigrationResult } from "../../bench/result.ts";
import { facetByCase, legendColumns, panelGrid } from "../chart.ts";
import { rounded } from "../format.ts";
import { pointName } from "../migration-names.ts";
import { chartConfig, engineColours } from "../theme.ts";

/** Null when all migrations went over the same link. */
export function migrationDowntime(results: readonly MigrationResult[]): TopLevelSpec | null {
  const bandwidths = new Set(results.map(({ key }) => key.migration.bandwidthBitsPerSecond));
  if (bandwidths.size < 2) return null;
  const engines = [...new Set(results.map(({ key }) => key.engine))];
  const labels = [...new Set(results.map((result) => panelName(result, results)))];
  const grid = panelGrid(labels.length);
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
          scale: { type: "log" },
          axis: { grid: false, values: [...bandwidths].map((bits) => rounded(bits / 1e9)) },
        },
        y: {
          field: "downtimeMs",
          type: "quantitative",
          title: "downtime (ms), logarithmic",
          scale: { type: "log" },
          axis: { tickCount: 4, format: "~g" },
        },
        color: {
          field: "engine",
          type: "nominal",
          title: null,
          scale: { domain: engines, range: engineColours(engines) },
          legend: { orient: "top", columns: legendColumns(engines, grid) },
        },
      },
      layer: [
        { mark: { type: "line", strokeWidth: 1.5, opacity: 0.7 } },
        {
          mark: { type: "point", size: 45, filled: true, opacity: 1 },
          encoding: {
            fillOpacity: { condition: { test: "datum.converged", value: 1 }, value: 0 },
          },
        },
      ],
    },
  };
}

function panelName(result: MigrationResult, results: readonly MigrationResult[]): string {
  return pointName(result.key, results);
}
