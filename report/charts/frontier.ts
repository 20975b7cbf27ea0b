/**
 * Phase maps: who wins over two rates, a map per processor, with programs on it and the closed form drawn over.
 */
import type { TopLevelSpec } from "vega-lite";
import type { Frontier } from "../../bench/results/result.ts";
import type { Layer } from "../chart.ts";
import { rounded } from "../format.ts";
import { chartConfig, inkColour } from "../theme.ts";

type FrontierMap = Frontier["maps"][number];
type Range = readonly [from: number, to: number];

/** The winner above the line, nobody, the winner below it. */
const belowColour = "#d55e00";
const evenColour = "#f5f5f5";
const aboveColour = "#0072b2";
/** Ratios beyond these look alike. */
const strongest = 2;
const mapSize = 250;
const discPixels = 22;

export function frontier({ title, remarks, winners, maps }: Frontier): TopLevelSpec {
  const names = maps[0]?.programs.map(({ name }) => name) ?? [];
  const key = names.map((name, index) => `${index + 1} ${name}`).join(", ");
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: { text: title, subtitle: [...remarks, key] },
    config: chartConfig,
    spacing: 26,
    columns: 3,
    concat: maps.map((map) => ({
      title: { text: map.name, fontSize: 13, offset: 6 },
      width: mapSize,
      height: mapSize,
      layer: mapLayers(map, winners),
    })),
    resolve: { scale: { x: "independent", y: "independent", color: "shared" } },
  };
}

function span(ranges: readonly Range[]): Range {
  return [Math.min(...ranges.map(([from]) => from)), Math.max(...ranges.map(([, to]) => to))];
}

function mapLayers(map: FrontierMap, [above, below]: Frontier["winners"]): Layer[] {
  const xs = span(map.cells.map(({ misses }) => misses));
  const ys = span(map.cells.map(({ updates }) => updates));
  const x = rate("TLB misses per 1000 accesses", xs);
  const y = rate(["table updates, flushes,", "CR3 loads per 1000 accesses"], ys);
  return [
    cellLayer(map, x, y, `cycles of ${below} over cycles of ${above}`),
    {
      data: { values: lineEnds(map.slope, xs, ys) },
      mark: { type: "line", color: inkColour, strokeWidth: 2 },
      encoding: { x: { ...x, field: "misses" }, y: { ...y, field: "updates" } },
    },
    ...programLayers(map, x, y, [xs, ys]),
  ];
}

/** The line as far as it lies on the map; clipped marks would still take room outside. */
function lineEnds(slope: number, xs: Range, ys: Range) {
  const ends = [Math.max(xs[0], ys[0] / slope), Math.min(xs[1], ys[1] / slope)];
  return ends.map((misses) => ({ misses: rounded(misses), updates: rounded(slope * misses) }));
}

/** Lines of a title are short: Vega estimates their width generously and makes room for it. */
function rate(title: string | string[], [from, to]: Range) {
  return {
    type: "quantitative" as const,
    title,
    scale: { type: "log" as const, domain: [from, to], nice: false },
    axis: { grid: false, tickCount: 4, format: "~g" },
  };
}
type Rate = ReturnType<typeof rate>;

function cellLayer({ cells }: FrontierMap, x: Rate, y: Rate, title: string): Layer {
  const most = Math.log2(strongest);
  return {
    data: {
      values: cells.map(({ misses, updates, ratio }) => ({
        x: misses[0],
        x2: misses[1],
        y: updates[0],
        y2: updates[1],
        ratio,
      })),
    },
    transform: [{ calculate: "log(datum.ratio) / log(2)", as: "lead" }],
    mark: { type: "rect", stroke: "white", strokeWidth: 0.5 },
    encoding: {
      x: { ...x, field: "x" },
      x2: { field: "x2" },
      y: { ...y, field: "y" },
      y2: { field: "y2" },
      color: {
        field: "lead",
        type: "quantitative",
        title,
        scale: {
          domain: [-most, 0, most],
          range: [belowColour, evenColour, aboveColour],
          clamp: true,
        },
        legend: {
          orient: "bottom",
          gradientLength: 320,
          titleLimit: 600,
          values: [-most, -most / 2, 0, most / 2, most],
          labelExpr: "format(pow(2, datum.value), '.2~f') + 'x'",
        },
      },
    },
  };
}

/** Numbered discs; a program beyond the map's edge sits on it, and none hides another. */
function programLayers(
  { programs }: FrontierMap,
  x: Rate,
  y: Rate,
  [xs, ys]: readonly [Range, Range],
): Layer[] {
  const taken: (readonly [number, number])[] = [];
  const values = programs.map(({ name, misses, updates, ratio }, index) => {
    const top = pixel(updates, ys);
    let left = pixel(misses, xs);
    while (taken.some(([a, b]) => Math.hypot(a - left, b - top) < discPixels)) left -= 2;
    // Off the map on the left: the free place is on the right.
    if (left < discPixels / 2) {
      left = pixel(misses, xs);
      while (taken.some(([a, b]) => Math.hypot(a - left, b - top) < discPixels)) left += 2;
    }
    taken.push([left, top]);
    const place = { x: fromPixel(left, xs), y: fromPixel(top, ys) };
    return { name, number: `${index + 1}`, ...place, colour: discColour(ratio) };
  });
  const data = { values };
  const place = {
    x: { ...x, field: "x" },
    y: { ...y, field: "y" },
  } as const;
  return [
    {
      data,
      mark: { type: "circle", size: 340, opacity: 1, stroke: "white", strokeWidth: 1.5 },
      encoding: {
        ...place,
        color: { field: "colour", type: "nominal", scale: null },
      },
    },
    {
      data,
      mark: { type: "text", fontSize: 12, fontWeight: "bold", color: "white" },
      encoding: { ...place, text: { field: "number" } },
    },
  ];
}

/** Darker than the squares; grey where nobody wins by half a percent. */
function discColour(ratio: number): string {
  if (Math.abs(ratio - 1) <= 0.005) return "#57606a";
  return ratio > 1 ? "#004a75" : "#9c4400";
}

/** Where a rate lies on a logarithmic axis, a disc's half away from the ends. */
function pixel(value: number, [from, to]: Range): number {
  const share = Math.log(Math.max(value, from) / from) / Math.log(to / from);
  return Math.min(mapSize - discPixels / 2, Math.max(discPixels / 2, share * mapSize));
}

function fromPixel(at: number, [from, to]: Range): number {
  return rounded(from * (to / from) ** (at / mapSize));
}
