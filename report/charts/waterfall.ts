/**
 * Waterfall: from where a gap starts, through its parts, to the whole; a row per program.
 *
 * Columns of a row share their axis, so a part can be compared across them; rows do not, for gaps of two
 * programs differ by decades.
 */
import type { TopLevelSpec } from "vega-lite";
import type { Waterfall } from "../../bench/results/result.ts";
import type { Layer } from "../chart.ts";
import { figure, rounded } from "../format.ts";
import { chartConfig, inkColour } from "../theme.ts";

type Panel = Waterfall["panels"][number];

const kinds = ["adds", "takes away", "start and sum"] as const;
const colours = ["#d55e00", "#0072b2", "#57606a"];
const barHeight = 20;
const panelWidth = 250;

export function waterfall({ title, remarks, axisTitle, panels }: Waterfall): TopLevelSpec {
  const rows = [...Map.groupBy(panels, ({ row }) => row)];
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: { text: title, subtitle: [...remarks] },
    // The page shows one panel at a time.
    usermeta: { kind: "waterfall" },
    config: chartConfig,
    spacing: 22,
    vconcat: rows.map(([row, ofRow]) => ({
      title: { text: row, fontSize: 13, subtitlePadding: 2, offset: 6 },
      data: { values: ofRow.flatMap(barsOf) },
      facet: {
        field: "column",
        type: "nominal",
        sort: [...new Set(ofRow.map(({ column }) => column))],
        header: { title: null, labelFontWeight: "normal", labelFontSize: 12 },
      },
      columns: ofRow.length,
      spacing: 14,
      spec: {
        width: panelWidth,
        height: { step: barHeight },
        layer: layers(namesOf(ofRow), axisTitle),
      },
    })),
    resolve: { scale: { x: "independent", color: "shared" } },
  };
}

function namesOf([first]: readonly Panel[]): string[] {
  return first === undefined
    ? []
    : [first.start, ...first.parts, first.whole].map(({ name }) => name);
}

function barsOf({ column, start, parts, whole }: Panel) {
  let at = start.value;
  const steps = parts.map(({ name, value }) => {
    const from = at;
    at += value;
    return { name, from, to: at, value, kind: value < 0 ? kinds[1] : kinds[0] };
  });
  const totals = { from: 0, kind: kinds[2] };
  const bars = [
    { ...totals, name: start.name, to: start.value, value: start.value },
    ...steps,
    { ...totals, name: whole.name, to: whole.value, value: whole.value },
  ];
  const ends = bars.flatMap(({ from, to }) => [from, to]);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  // Keeps room for the figures at the ends of the longest bars.
  const room = (high - low) * 0.16;
  return bars.map(({ from, to, value, ...rest }) => ({
    column,
    ...rest,
    from: rounded(from),
    to: rounded(to),
    right: rounded(Math.max(from, to)),
    text:
      value > 0 && rest.kind !== kinds[2]
        ? `+${figure(value)}`
        : figure(value).replace("-", "\u2212"),
    low: rounded(low),
    high: rounded(high + room),
  }));
}

function layers(names: readonly string[], axisTitle: string): Layer[] {
  const y = {
    field: "name",
    type: "nominal",
    sort: [...names],
    title: null,
    axis: { ticks: false, domain: false, labelPadding: 6, labelFontSize: 12 },
  } as const;
  const at = (field: string) => ({ field, type: "quantitative" }) as const;
  const figureMark = { type: "text", align: "left", dx: 4, fontSize: 12 } as const;
  const figureAt = { y, x: at("right"), text: { field: "text" } } as const;
  const axis = { tickCount: 5, domain: false, ticks: false } as const;
  return [
    {
      mark: { type: "bar", height: barHeight - 5 },
      encoding: {
        y,
        x: { ...at("from"), title: axisTitle, axis, scale: { zero: true, nice: false } },
        x2: { field: "to" },
        color: {
          field: "kind",
          type: "nominal",
          title: null,
          scale: { domain: [...kinds], range: colours },
          legend: { orient: "top" },
        },
      },
    },
    { mark: { type: "rule", color: inkColour }, encoding: { x: { datum: 0 } } },
    // A white rim, so that the zero line does not strike a figure out.
    { mark: { ...figureMark, stroke: "white", strokeWidth: 3 }, encoding: figureAt },
    { mark: { ...figureMark, color: inkColour }, encoding: figureAt },
    { mark: { type: "point", opacity: 0 }, encoding: { y, x: at("high") } },
    { mark: { type: "point", opacity: 0 }, encoding: { y, x: at("low") } },
  ];
}
