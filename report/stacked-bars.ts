/**
 * Stacked bars, one per engine, a panel per case: the shape that three charts share.
 *
 * All panels have one scale, from zero, so that a long bar is a large number. Rates of two workloads differ by
 * decades, and a stack cannot be drawn on a logarithmic scale: what is longer than most is cut, and its figure says
 * how long it is. A thin line at a bar's end spans the seeds.
 */
import type { TopLevelSpec } from "vega-lite";
import {
  caseLabels,
  facetByCase,
  frame,
  type Layer,
  legendColumns,
  panelGrid,
  remarkLines,
} from "./chart.ts";
import { type Series, seedsMax, type Setting } from "./cases.ts";
import { rounded, short } from "./format.ts";
import { inkColour } from "./theme.ts";
import { summarize } from "./statistics.ts";
import type { PointRow } from "../bench/results/result.ts";

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
  /** What is said of cases that have no bar at all. */
  readonly emptyRemark: string;
  /** A vertical line worth comparing with, such as 1 for "as native". */
  readonly reference: number | null;
  /** Engines worth a bar. */
  readonly engines: readonly string[];
}

export function stackedBars(setting: Setting, bars: StackedBars): TopLevelSpec | null {
  const labels = caseLabels(setting);
  const panels = setting.cases.map((one) => {
    const label = labels.get(one) ?? one.label;
    const series = one.series.filter(({ engine }) => bars.engines.includes(engine));
    return { label, rows: series.flatMap((each) => barRows(each, label, bars)) };
  });
  // A panel without any bar has no scale; a line of text says as much.
  const shown = panels.filter(({ rows }) => rows.some(({ value }) => value > 0));
  const empty = panels.filter((panel) => !shown.includes(panel)).map(({ label }) => label);
  const whole = shown.flatMap(({ rows }) => rows);
  const longest = scaleEnd(whole);
  const data = whole.map((row) => cutRow(row, longest));
  const parts = bars.parts.filter(({ name }) =>
    data.some((row) => row.part === name && row.value > 0),
  );
  if (parts.length === 0) return null;
  const grid = panelGrid(shown.length);
  const names = parts.map(({ name }) => name);
  return {
    ...frame(bars.title, setting, [
      ...bars.remarks,
      ...seedRemarks(setting),
      ...cutRemarks(whole, longest),
      ...remarkLines(bars.emptyRemark, empty, grid),
    ]),
    data: { values: data.filter(({ value, isWhole }) => value > 0 || isWhole) },
    ...facetByCase(
      shown.map(({ label }) => label),
      grid,
    ),
    spec: {
      width: grid.width,
      height: { step: 18 },
      layer: [
        {
          mark: { type: "bar", height: 13 },
          encoding: {
            x: {
              field: "start",
              type: "quantitative",
              title: bars.axisTitle,
              scale: { domain: [0, rounded(longest * figureRoom)], nice: false },
              axis: { tickCount: 4, domain: false, ticks: false },
            },
            x2: { field: "end" },
            y: yOf(bars),
            color: {
              field: "part",
              type: "nominal",
              title: bars.legendTitle,
              scale: { domain: names, range: parts.map(({ colour }) => colour) },
              legend: { orient: "top", columns: legendColumns(names, grid) },
            },
          },
        },
        ...(bars.reference === null ? [] : [referenceLine(bars.reference)]),
        ...wholeBarMarks(bars),
      ],
    },
  };
}

function seedRemarks(setting: Setting): readonly string[] {
  const isRepeated = seedsMax(setting) > 1;
  return isRepeated ? ["Bars: the run with the median total; thin lines: all seeds"] : [];
}

function yOf({ engines }: StackedBars) {
  const axis = { ticks: false, domain: false, labelPadding: 6 };
  return { field: "engine", type: "nominal", sort: [...engines], title: null, axis } as const;
}

function referenceLine(value: number): Layer {
  return {
    mark: { type: "rule", color: inkColour, strokeDash: [3, 2] },
    encoding: { x: { datum: value } },
  };
}

/** What a bar has once, whatever its parts: the range over seeds and its total in figures. */
function wholeBarMarks(bars: StackedBars): Layer[] {
  const transform = [{ filter: "datum.isWhole" }];
  const y = yOf(bars);
  const at = (field: string) => ({ field, type: "quantitative" }) as const;
  return [
    {
      transform,
      mark: { type: "rule", color: inkColour, strokeWidth: 1.5 },
      encoding: { x: at("min"), x2: { field: "max" }, y },
    },
    {
      transform,
      mark: { type: "text", align: "left", dx: 4, fontSize: 12, color: inkColour },
      encoding: { x: at("max"), y, text: { field: "text" } },
    },
  ];
}

/** Keeps room for the figures behind the longest bar. */
const figureRoom = 1.3;
/** Bars that are drawn whole. */
const shareWhole = 0.85;

type BarRow = ReturnType<typeof barRows>[number];

/** Where bars are cut: at the longest one, unless a few are very much longer than the rest. */
function scaleEnd(rows: readonly BarRow[]): number {
  const totals = rows
    .flatMap(({ max }) => (max === undefined ? [] : [max]))
    .toSorted((a, b) => a - b);
  const longest = totals.at(-1) ?? 1;
  const usual = totals[Math.floor(shareWhole * (totals.length - 1))] ?? longest;
  return rounded(longest > 2 * usual && usual > 0 ? 1.25 * usual : longest);
}

function cutRow(row: BarRow, end: number): BarRow {
  const cut = (value: number) => Math.min(value, end);
  const place = { start: cut(row.start), end: cut(row.end) };
  const { min, max } = row;
  if (min === undefined || max === undefined) return { ...row, ...place };
  return { ...row, ...place, min: cut(min), max: cut(max) };
}

function cutRemarks(rows: readonly BarRow[], end: number): readonly string[] {
  const isCut = rows.some(({ max = 0 }) => max > end);
  return isCut ? [`Bars longer than ${short(end)} are cut; their figure says how long`] : [];
}

/** The parts of the run with the median total, so that they add up to what the bar shows. */
function barRows({ engine, points }: Series, label: string, { parts }: StackedBars) {
  const totalOf = (row: PointRow) => parts.reduce((sum, part) => sum + part.valueOf(row), 0);
  const sorted = points.toSorted((a, b) => totalOf(a) - totalOf(b));
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) return [];
  const { min, max } = summarize(sorted.map(totalOf));
  const range = { min: rounded(min), max: rounded(max) };
  const text = short(totalOf(middle));
  let end = 0;
  return parts.map((part, index) => {
    const value = part.valueOf(middle);
    const start = end;
    end += value;
    const place = { value: rounded(value), start: rounded(start), end: rounded(end) };
    const isWhole = index === 0;
    return {
      case: label,
      engine,
      part: part.name,
      ...place,
      isWhole,
      ...(isWhole ? { ...range, text } : {}),
    };
  });
}
