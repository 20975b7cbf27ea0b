/**
 * What each round of a migration sent: pages for the first time, pages again, markers of zeros, stacked; a
 * panel per migration.
 */
import type { TopLevelSpec } from "vega-lite";
import type { MigrationResult } from "../../bench/results/result.ts";
import { facetByCase, legendColumns, panelGrid } from "../chart.ts";
import { rounded } from "../format.ts";
import { migrationLabel, pointName } from "../migration-names.ts";
import { chartConfig } from "../theme.ts";

const parts = [
  { name: "sent for the first time", colour: "#0072b2" },
  { name: "sent again", colour: "#d55e00" },
] as const;

const lineBreak = " | ";

/** More panels than a page holds say nothing. */
const panelsMax = 12;
/** Of a migration that never converges the first rounds tell the story. */
const roundsMax = 20;

/** Null when there is nothing to draw. */
export function migrationRounds(results: readonly MigrationResult[]): TopLevelSpec | null {
  if (results.length === 0) return null;
  // Evenly spread over the sweep, so that every kind of point is seen.
  const count = Math.min(panelsMax, results.length);
  const shown = Array.from({ length: count }, (_, panel) => {
    return results[Math.floor((panel * results.length) / count)];
  }).filter((result) => result !== undefined);
  const grid = panelGrid(shown.length);
  const labels = shown.map((result) => panelName(result, results));
  const names = parts.map(({ name }) => name);
  const left = results.length - shown.length;
  const remarks = [
    "Last bar of each panel: sent while the guest stood still, or behind it once it had moved. Pages of zeros are left out",
    ...(left > 0 ? [`${left} more migrations stand in rounds.csv`] : []),
  ];
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: { text: "Pages sent per round", subtitle: remarks },
    config: chartConfig,
    data: { values: shown.flatMap((result, index) => barsOf(result, labels[index] ?? "")) },
    ...threeLines(facetByCase(labels, grid)),
    resolve: { scale: { x: "independent", y: "independent" } },
    spec: {
      width: grid.width,
      height: 130,
      mark: { type: "bar", width: { band: 0.8 } },
      encoding: {
        x: {
          field: "round",
          type: "ordinal",
          title: "round",
          axis: { labelOverlap: "greedy", labelSeparation: 4, labelAngle: 0, ticks: false },
        },
        y: {
          field: "mebibytes",
          type: "quantitative",
          title: "MiB of pages sent",
          axis: { tickCount: 4, domain: false, ticks: false },
        },
        color: {
          field: "part",
          type: "nominal",
          title: null,
          scale: { domain: names, range: parts.map(({ colour }) => colour) },
          legend: { orient: "top", columns: legendColumns(names, grid) },
        },
        order: { field: "order" },
      },
    },
  };
}

function panelName(result: MigrationResult, results: readonly MigrationResult[]): string {
  const { key } = result;
  return [key.engine, pointName(key, results), migrationLabel(key.migration)].join(lineBreak);
}

/** Engine, program and link below each other: together they are wider than a panel. */
function threeLines(faceted: ReturnType<typeof facetByCase>): ReturnType<typeof facetByCase> {
  const header = { title: null, labelExpr: `split(datum.label, '${lineBreak}')` };
  return { ...faceted, facet: { ...faceted.facet, header } };
}

function barsOf({ rounds }: MigrationResult, label: string) {
  const last = rounds.at(-1);
  const kept = rounds.length > roundsMax ? [...rounds.slice(0, roundsMax - 1), last] : rounds;
  return kept.flatMap((round) => {
    if (round === undefined) return [];
    const { pagesSent, pagesResent, zeroPages } = round;
    const first = Math.max(0, pagesSent - pagesResent - zeroPages);
    return [first, pagesResent].map((pages, order) => ({
      case: label,
      round: round.round,
      part: parts[order]?.name ?? "",
      order,
      mebibytes: rounded(pages / 256),
    }));
  });
}
