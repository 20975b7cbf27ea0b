/**
 * Cause and effect side by side: how often each engine walks and exits, and what that made of it.
 *
 * Both views show the same points. A rectangle drawn in the left one, or an engine clicked in the legend,
 * picks what the right one shows.
 */
import type { TopLevelSpec } from "vega-lite";
import { baselineEngine, type PointRow } from "../../../bench/results/result.ts";
import type { Setting } from "../../cases.ts";
import { rounded } from "../../format.ts";
import { summarize } from "../../statistics.ts";
import { chartConfig, engineColours } from "../../theme.ts";

type Views = Extract<TopLevelSpec, { hconcat: unknown }>["hconcat"];

/** Colour and shape both tell engines apart. */
interface Channels {
  readonly color: {
    readonly field: "engine";
    readonly type: "nominal";
    readonly title: string;
    readonly scale: { domain: string[]; range: string[] };
    readonly legend: { readonly orient: "top"; readonly columns: number };
  };
  readonly shape: {
    readonly field: "engine";
    readonly type: "nominal";
    readonly title: string;
    readonly scale: { domain: string[] };
  };
}

const sideWidthMax = 430;
const rowHeight = 22;
const widthMin = 300;
const heightMax = 520;
/** Room for programs' names beside a view; longer ones are cut, and tooltips have them whole. */
const labelLimits = { wide: 260, narrow: 120 };
/** Width of a legend entry: its letters, its symbol and the gap. */
const legendLetter = 7;
const legendSymbol = 30;

/** `engines` are all of the setting, shown or not, so that a colour stays with its engine. */
export function overview(
  setting: Setting,
  { engines, width: room }: { readonly engines: readonly string[]; readonly width: number },
): TopLevelSpec | null {
  // A figure that is not laid out yet has no width.
  const width = Math.max(widthMin, room);
  const cases = setting.cases.map(({ label }) => label);
  const shown = setting.engines.filter((engine) => engine !== baselineEngine);
  const values = setting.cases.flatMap(({ label, series }) =>
    series
      .filter(({ engine }) => shown.includes(engine))
      .flatMap(({ engine, points }) => valuesOf(label, engine, points)),
  );
  if (values.length === 0) return null;
  const isNarrow = width < 760;
  const labelLimit = isNarrow ? labelLimits.narrow : labelLimits.wide;
  const labelRoom = Math.min(labelLimit, 12 + 6.4 * Math.max(...cases.map(({ length }) => length)));
  // Views below each other are aligned at their axes, views side by side share the width.
  const side = isNarrow
    ? width - 60 - labelRoom
    : Math.min(sideWidthMax, (width - 100 - labelRoom) / 2);
  const colours = engineColours(engines);
  const byEngine = { field: "engine", type: "nominal", scale: { domain: shown } } as const;
  const title = "engine (click to pick)";
  const channels = {
    color: {
      ...byEngine,
      title,
      scale: {
        domain: shown,
        range: shown.map((engine) => colours[engines.indexOf(engine)] ?? ""),
      },
      legend: { orient: "top", columns: legendColumns(shown, isNarrow ? side : width) },
    },
    shape: { ...byEngine, title },
  } satisfies Channels;
  // Room for every engine's mark, unless that makes a tower of many programs.
  const step = Math.max(rowHeight, Math.min(8 + 9 * shown.length, heightMax / cases.length));
  const views: Views = [
    {
      width: side,
      height: Math.max(260, Math.min(cases.length * rowHeight, 420)),
      ...causes(channels),
    },
    {
      width: side,
      height: cases.length * step,
      ...effects(channels, { cases, values, labelLimit }),
    },
  ];
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: {
      text: "What an engine does, and what it costs",
      subtitle: [
        setting.title,
        "Drag over points in the first view to see only them in the second; each point is a program under an engine, medians over seeds",
      ],
    },
    config: chartConfig,
    data: { values },
    spacing: 30,
    ...(isNarrow ? { vconcat: views } : { hconcat: views }),
  };
}

/** The legend stands above the first view's field and must not be wider. */
function legendColumns(names: readonly string[], room: number): number {
  const entry = legendSymbol + legendLetter * Math.max(...names.map(({ length }) => length));
  return Math.max(1, Math.min(names.length, Math.floor(room / entry)));
}

/** How often an engine walks and exits. */
function causes(channels: Channels) {
  return {
    params: [
      { name: "picked", select: { type: "point", fields: ["engine"] }, bind: "legend" },
      { name: "brush", select: { type: "interval" } },
    ],
    mark: { type: "point", size: 60, strokeWidth: 2 },
    encoding: {
      ...channels,
      x: rate("walk references per 1000 accesses", "references"),
      y: rate("VM exits per 1000 accesses", "exits"),
      opacity: { condition: { param: "picked", value: 0.9 }, value: 0.12 },
    },
  } satisfies Partial<Views[number]>;
}

interface Effects {
  readonly cases: string[];
  readonly values: readonly { readonly slowdown: number }[];
  readonly labelLimit: number;
}

/** What that made of each program's run time. */
function effects(channels: Channels, { cases, values, labelLimit }: Effects) {
  return {
    transform: [{ filter: { param: "brush" } }, { filter: { param: "picked" } }],
    mark: { type: "point", size: 45, strokeWidth: 2 },
    encoding: {
      ...channels,
      x: {
        field: "slowdown",
        type: "quantitative",
        title: "slowdown over native (x), logarithmic",
        scale: { type: "log", domain: domainOf(values), nice: false },
        axis: { tickCount: 5, format: "~g" },
      },
      y: {
        field: "case",
        type: "nominal",
        title: null,
        scale: { domain: cases, paddingInner: 0.3 },
        axis: { grid: true, labelLimit },
      },
      // Engines that cost the same would hide each other.
      yOffset: { field: "engine", type: "nominal", scale: { domain: channels.color.scale.domain } },
    },
  } satisfies Partial<Views[number]>;
}

/** Rates start at zero and span decades. */
function rate(title: string, field: string) {
  const values = [0, 1, 10, 100, 1000, 10_000];
  return {
    field,
    type: "quantitative",
    title,
    scale: { type: "symlog", nice: false },
    axis: { values, format: ",.0f" },
  } as const;
}

function domainOf(values: readonly { readonly slowdown: number }[]): [number, number] {
  const all = values.map(({ slowdown }) => slowdown);
  return [Math.min(1, ...all) * 0.95, Math.max(2, ...all) * 1.1];
}

function valuesOf(label: string, engine: string, points: readonly PointRow[]) {
  const slowdowns = points.flatMap(({ slowdown }) => (slowdown === null ? [] : [slowdown]));
  if (slowdowns.length === 0) return [];
  const median = (valueOf: (row: PointRow) => number) =>
    rounded(summarize(points.map(valueOf)).median);
  const per1000 = (count: number, { counters }: PointRow) =>
    (1000 * count) / Math.max(1, counters.accesses);
  return [
    {
      case: label,
      engine,
      slowdown: rounded(summarize(slowdowns).median),
      exits: median((row) => per1000(row.counters.exits, row)),
      references: median((row) =>
        per1000(row.counters.walkReferencesGuest + row.counters.walkReferencesNested, row),
      ),
      misses: median((row) => per1000(row.counters.stlbMisses, row)),
    },
  ];
}
