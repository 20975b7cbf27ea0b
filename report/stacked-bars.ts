/**
 * Stacked bars, one per engine, a panel per case: the shape that three charts share.
 *
 * Each panel has its own scale, from zero: rates of two workloads differ by decades, and a stack cannot be
 * drawn on a logarithmic one. A thin line at a bar's end spans the seeds.
 */
import type { TopLevelSpec } from "vega-lite";
import { caseLabels, frame, panelGrid } from "./chart.ts";
import type { Series, Setting } from "./cases.ts";
import { short } from "./format.ts";
import { gridColour, inkColour } from "./theme.ts";
import { summarize } from "./statistics.ts";
import type { PointRow } from "../bench/result.ts";

export interface Part {
  readonly name: string;
  readonly colour: string;
  /** The part of one run in the unit of the axis. */
  valueOf(row: PointRow): number;
}

export interface StackedBars {
  readonly title: string;
  readonly remarks: readonly string[];
  /** With its unit. */
  readonly axisTitle: string;
  readonly legendTitle: string;
  /** From the baseline outwards; parts that are zero everywhere are left out. */
  readonly parts: readonly Part[];
  /** A vertical line worth comparing with, such as 1 for "as native". */
  readonly reference: number | null;
  /** Engines worth a bar. */
  readonly engines: readonly string[];
}

export function stackedBars(setting: Setting, bars: StackedBars): TopLevelSpec | null {
  const labels = caseLabels(setting);
  const data = setting.cases.flatMap((one) =>
    one.series
      .filter(({ engine }) => bars.engines.includes(engine))
      .flatMap((series) => barRows(series, labels.get(one) ?? one.label, bars)),
  );
  const parts = bars.parts.filter(({ name }) =>
    data.some((row) => row.part === name && row.value > 0),
  );
  if (parts.length === 0) return null;
  const { columns, width } = panelGrid(setting);
  const y = { field: "engine", type: "nominal", sort: [...bars.engines], title: null } as const;
  const whole = { transform: [{ filter: `datum.part === '${bars.parts[0]?.name}'` }] };
  return {
    ...frame(bars.title, setting, bars.remarks),
    data: { values: data.filter((row) => row.value > 0 || row.part === bars.parts[0]?.name) },
    columns,
    spacing: { row: 14, column: 22 },
    facet: {
      field: "case",
      type: "nominal",
      sort: [...labels.values()],
      header: { title: null },
    },
    resolve: { scale: { x: "independent" } },
    spec: {
      width,
      height: { step: 15 },
      encoding: { y: { ...y, axis: { ticks: false, domain: false, labelPadding: 6 } } },
      layer: [
        {
          mark: { type: "bar", height: 11 },
          encoding: {
            x: {
              field: "start",
              type: "quantitative",
              title: bars.axisTitle,
              scale: { zero: true, nice: false },
              axis: { tickCount: 4, domain: false, ticks: false },
            },
            x2: { field: "end" },
            color: {
              field: "part",
              type: "nominal",
              title: bars.legendTitle,
              scale: {
                domain: parts.map(({ name }) => name),
                range: parts.map(({ colour }) => colour),
              },
              legend: { orient: "top", direction: "horizontal", columns: 5 },
            },
          },
        },
        ...(bars.reference === null
          ? []
          : [
              {
                mark: { type: "rule" as const, color: inkColour, strokeDash: [3, 2] },
                encoding: { x: { datum: bars.reference } },
              },
            ]),
        {
          ...whole,
          mark: { type: "rule", color: inkColour, strokeWidth: 1.5 },
          encoding: { x: { field: "min", type: "quantitative" }, x2: { field: "max" } },
        },
        {
          ...whole,
          mark: { type: "text", align: "left", dx: 4, fontSize: 9, color: inkColour },
          encoding: { x: { field: "max", type: "quantitative" }, text: { field: "text" } },
        },
        {
          // Nothing to see: keeps room for the number behind the longest bar.
          ...whole,
          mark: { type: "point", opacity: 0, color: gridColour },
          encoding: { x: { field: "room", type: "quantitative" } },
        },
      ],
    },
  };
}

/** The parts of the run with the median total, so that they add up to what the bar shows. */
function barRows({ engine, points }: Series, label: string, { parts }: StackedBars) {
  const totalOf = (row: PointRow) => parts.reduce((sum, part) => sum + part.valueOf(row), 0);
  const sorted = points.toSorted((a, b) => totalOf(a) - totalOf(b));
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) return [];
  const { min, max } = summarize(sorted.map(totalOf));
  const total = totalOf(middle);
  let end = 0;
  return parts.map((part) => {
    const start = end;
    const value = part.valueOf(middle);
    end += value;
    return {
      case: label,
      engine,
      part: part.name,
      ...{ value, start, end, min, max, total },
      text: short(total),
      room: max * 1.2,
    };
  });
}
