/**
 * Stacked bars of plain values, a panel per group: for figures that are not made of whole rows.
 */
import type { TopLevelSpec } from "vega-lite";
import type { Bars } from "../../bench/results/result.ts";
import { facetByCase, legendColumns, panelGrid } from "../chart.ts";
import { figure, rounded } from "../format.ts";
import { chartConfig, inkColour } from "../theme.ts";

export function bars({
  title,
  remarks,
  axisTitle,
  legendTitle,
  parts,
  panels,
}: Bars): TopLevelSpec {
  const grid = panelGrid(panels.length);
  const names = parts.map(({ name }) => name);
  const barNames = [...new Set(panels.flatMap((panel) => panel.bars.map(({ name }) => name)))];
  const y = {
    field: "bar",
    type: "nominal",
    sort: barNames,
    title: null,
    axis: { ticks: false, domain: false, labelPadding: 6 },
  } as const;
  const at = (field: string) => ({ field, type: "quantitative" }) as const;
  const whole = [{ filter: "datum.isWhole" }];
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: { text: title, subtitle: [...remarks] },
    config: chartConfig,
    data: { values: panels.flatMap((panel) => rowsOf(panel, names)) },
    // Names of panels are whole phrases here: one line each.
    ...plainPanels(
      facetByCase(
        panels.map(({ name }) => name),
        grid,
      ),
    ),
    spec: {
      width: grid.width,
      height: { step: 20 },
      layer: [
        {
          mark: { type: "bar", height: 14 },
          encoding: {
            x: {
              ...at("start"),
              title: axisTitle,
              scale: { zero: true, nice: false },
              axis: { tickCount: 4, domain: false, ticks: false },
            },
            x2: { field: "end" },
            y,
            color: {
              field: "part",
              type: "nominal",
              title: legendTitle,
              scale: { domain: names, range: parts.map(({ colour }) => colour) },
              legend: { orient: "top", columns: legendColumns(names, grid) },
            },
          },
        },
        {
          transform: whole,
          mark: { type: "text", align: "left", dx: 4, fontSize: 12, color: inkColour },
          encoding: { x: at("end"), y, text: { field: "text" } },
        },
        { transform: whole, mark: { type: "point", opacity: 0 }, encoding: { x: at("room"), y } },
      ],
    },
  };
}

/** One scale for all panels, so that a longer bar is a larger figure everywhere; each panel has its axis still. */
function plainPanels(faceted: ReturnType<typeof facetByCase>) {
  return {
    ...faceted,
    facet: { ...faceted.facet, header: { title: null } },
    resolve: { scale: { x: "shared" }, axis: { x: "independent" } },
  } as const;
}

function rowsOf(panel: Bars["panels"][number], names: readonly string[]) {
  return panel.bars.flatMap(({ name, values }) => {
    const total = values.reduce((sum, value) => sum + value, 0);
    let end = 0;
    return values.map((value, index) => {
      const start = end;
      end += value;
      const isWhole = index === values.length - 1;
      return {
        case: panel.name,
        bar: name,
        part: names[index] ?? "",
        start: rounded(start),
        end: rounded(end),
        isWhole,
        ...(isWhole && { text: figure(rounded(total)), room: rounded(total * 1.2) }),
      };
    });
  });
}
