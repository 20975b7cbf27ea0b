/**
 * Simulated against published: one mark per claim on two logarithmic axes, the diagonal drawn.
 *
 * Not a chart of a sweep, so it stands outside the registry. Missed claims are named at the right edge, in
 * the order of their marks, each with a thin line to its own.
 */
import type { TopLevelSpec } from "vega-lite";
import type { Layer } from "../chart.ts";
import { rounded } from "../format.ts";
import { chartConfig, inkColour } from "../theme.ts";

export interface PublishedMark {
  readonly name: string;
  readonly class: "a" | "b" | "c";
  readonly published: number;
  readonly simulated: number;
  readonly met: boolean;
}

const size = 640;
const labelHeight = 15;
const verdicts = { domain: ["met", "missed"], range: ["#0072b2", "#d55e00"] };
const classes = { domain: ["a", "b", "c"], range: ["circle", "square", "diamond"] };

/** Within a quarter of the published value: the band around the diagonal. */
export function publishedChart(marks: readonly PublishedMark[], tolerance: number): TopLevelSpec {
  const drawn = marks.filter(({ published, simulated }) => published > 0 && simulated > 0);
  const values = drawn.flatMap(({ published, simulated }) => [published, simulated]);
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values)));
  const missed = marks.filter(({ met }) => !met).length;
  const hidden = marks.length - drawn.length;
  const axis = {
    type: "quantitative" as const,
    scale: { type: "log" as const, domain: [low, high] },
    axis: { values: decadesOf(low, high) },
  };
  const percent = Math.round(tolerance * 100);
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: {
      text: "Published claims: simulated against published",
      subtitle: [
        `${marks.length} claims, ${missed} missed; on the diagonal both agree, dashed: ${percent}% off`,
        "rankings, drawn as a ratio of two run times, are met on the published side of 1",
        ...(hidden === 0 ? [] : [`${hidden} claims with a zero have no place on these axes`]),
      ],
    },
    config: chartConfig,
    width: size,
    height: size,
    data: { values: drawn.map(dataOf) },
    encoding: {
      x: { field: "published", ...axis, title: "published" },
      y: { field: "simulated", ...axis, title: "simulated" },
    },
    layer: [
      ...[1, 1 + tolerance, 1 - tolerance].map((factor) => line(factor, { low, high })),
      ...labelLayers(drawn, { low, high }),
      markLayer,
    ],
  };
}

function dataOf({ name, class: kind, published, simulated, met }: PublishedMark) {
  return { name, class: kind, published, simulated, verdict: met ? "met" : "missed" };
}

/** Grid lines at powers of ten only. */
function decadesOf(low: number, high: number): number[] {
  const count = Math.round(Math.log10(high / low)) + 1;
  return Array.from({ length: count }, (_, decade) => rounded(low * 10 ** decade));
}

interface Domain {
  readonly low: number;
  readonly high: number;
}

/** simulated = factor x published, where both are inside the domain. */
function line(factor: number, { low, high }: Domain): Layer {
  const from = Math.max(low, low / factor);
  const to = Math.min(high, high / factor);
  const ends = [from, to].map((published) => ({
    published,
    simulated: rounded(factor * published),
  }));
  const dash = factor === 1 ? {} : { strokeDash: [3, 3] };
  return {
    data: { values: ends },
    mark: { type: "line", color: inkColour, strokeWidth: factor === 1 ? 1.2 : 0.7, ...dash },
  };
}

const markLayer: Layer = {
  mark: { type: "point", filled: true, size: 55, opacity: 0.85, stroke: "white", strokeWidth: 0.6 },
  encoding: {
    color: { field: "verdict", type: "nominal", scale: verdicts, legend: legend("verdict") },
    shape: { field: "class", type: "nominal", scale: classes, legend: legend("class") },
  },
};

function legend(title: string) {
  return { title, orient: "top" as const, direction: "horizontal" as const };
}

/** Names of missed claims at the right edge, pushed apart, and a line from each to its mark. */
function labelLayers(marks: readonly PublishedMark[], { low, high }: Domain): Layer[] {
  const decades = Math.log10(high / low);
  const pixelOf = (value: number) => (Math.log10(value / low) / decades) * size;
  const missed = marks
    .filter(({ met }) => !met)
    .toSorted((a, b) => a.simulated - b.simulated || a.published - b.published);
  const places = spread(missed.map(({ simulated }) => pixelOf(simulated)));
  const labels = missed.map((mark, index) => ({
    ...dataOf(mark),
    at: rounded(low * 10 ** (((places[index] ?? 0) / size) * decades)),
    edge: high,
  }));
  const x = { type: "quantitative" as const };
  return [
    {
      data: { values: labels },
      mark: { type: "rule", color: inkColour, opacity: 0.25, strokeWidth: 0.6 },
      encoding: {
        x: { field: "published", ...x },
        y: { field: "simulated", ...x },
        x2: { field: "edge" },
        y2: { field: "at" },
      },
    },
    {
      data: { values: labels },
      mark: { type: "text", align: "left", baseline: "middle", dx: 5, fontSize: 12, clip: false },
      encoding: {
        x: { field: "edge", ...x },
        y: { field: "at", ...x },
        text: { field: "name" },
        color: { value: inkColour },
      },
    },
  ];
}

/** Rising positions, moved as little as keeps neighbours a label apart and all inside. */
function spread(pixels: readonly number[]): number[] {
  const room = Math.min(labelHeight, size / Math.max(1, pixels.length));
  const upwards = pushed(pixels, room);
  const downwards = pushed(
    pixels.toReversed().map((pixel) => -pixel),
    room,
  ).toReversed();
  const middle = upwards.map((pixel, index) => (pixel - (downwards[index] ?? 0)) / 2);
  const top = pushed(
    middle.toReversed().map((pixel) => Math.max(0, size - pixel)),
    room,
  );
  return top.toReversed().map((pixel) => size - pixel);
}

/** Each at least `room` above the one before. */
function pushed(pixels: readonly number[], room: number): number[] {
  const places: number[] = [];
  for (const pixel of pixels) places.push(Math.max(pixel, (places.at(-1) ?? -Infinity) + room));
  return places;
}
