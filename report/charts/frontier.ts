/**
 * Phase maps: who wins over two rates, a map per processor, with programs on it and the closed form drawn over.
 */
import type { TopLevelSpec } from "vega-lite";
import type { Frontier } from "../../bench/result.ts";
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

export function frontier({ title, remarks, winners, maps }: Frontier): TopLevelSpec {
  const names = maps[0]?.programs.map(({ name }) => name) ?? [];
  const key = names.map((name, index) => `${index + 1} ${name}`).join("   ");
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: { text: title, subtitle: [...remarks, key] },
    config: chartConfig,
    spacing: 26,
    columns: 3,
    concat: maps.map((map) => ({
      title: { text: map.name, fontSize: 12, offset: 6 },
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
  const y = rate("table updates, flushes, CR3 loads per 1000 accesses", ys);
  return [
    cellLayer(map, x, y, `cycles of ${below} over ${above}: blue, ${above} wins`),
    {
      data: {
        values: [xs[0], xs[1]].map((misses) => ({ misses, updates: rounded(map.slope * misses) })),
      },
      mark: { type: "line", clip: true, color: inkColour, strokeWidth: 2 },
      encoding: { x: { ...x, field: "misses" }, y: { ...y, field: "updates" } },
    },
    ...programLayers(map, x, y, [xs, ys]),
  ];
}

function rate(title: string, [from, to]: Range) {
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
          values: [-most, -most / 2, 0, most / 2, most],
          labelExpr: "format(pow(2, datum.value), '.2~f') + 'x'",
        },
      },
    },
  };
}

/** Numbered discs; a program beyond the map's edge sits on it. */
function programLayers(
  { programs }: FrontierMap,
  x: Rate,
  y: Rate,
  [xs, ys]: readonly [Range, Range],
): Layer[] {
  const inside = (value: number, [from, to]: Range) =>
    rounded(Math.min(to / 1.12, Math.max(from * 1.12, value)));
  const data = {
    values: programs.map(({ name, misses, updates, ratio }, index) => ({
      name,
      number: `${index + 1}`,
      x: inside(misses, xs),
      y: inside(updates, ys),
      isAbove: ratio > 1,
    })),
  };
  const place = {
    x: { ...x, field: "x" },
    y: { ...y, field: "y" },
  } as const;
  return [
    {
      data,
      mark: { type: "circle", size: 190, opacity: 1, stroke: "white", strokeWidth: 1.5 },
      encoding: {
        ...place,
        color: { condition: { test: "datum.isAbove", value: "#004a75" }, value: "#9c4400" },
      },
    },
    {
      data,
      mark: { type: "text", fontSize: 9, fontWeight: "bold", color: "white" },
      encoding: { ...place, text: { field: "number" } },
    },
  ];
}
