/**
 * A chart's colours on the dark page. Specs are made for white paper; here every colour with a meaning keeps
 * its hue and changes its lightness, so that it keeps three to one against the background.
 */
import type { TopLevelSpec } from "vega-lite";
import type { Scheme } from "./theme-switch.ts";

/** The page's own colours, as in page.css. */
const paper: Readonly<Record<Scheme, string>> = { light: "#ffffff", dark: "#15191f" };

const darkOf: Readonly<Record<string, string>> = {
  // Ink, quiet ink, grid.
  "#1f2328": "#e6e9ed",
  "#57606a": "#a9b2bd",
  "#e3e6ea": "#333b45",
  // Engines and causes.
  "#4d4d4d": "#b4b4b4",
  "#8c8c8c": "#9a9a9a",
  "#0072b2": "#2f80cf",
  "#56b4e9": "#9ad4f7",
  "#009e73": "#17b98a",
  "#332288": "#8f7fe8",
  "#882255": "#d3679f",
  "#d55e00": "#f0792a",
  "#004a75": "#7cc4f5",
  "#9c4400": "#ffb37a",
};
/** Where "white" means the paper. */
const paperKeys: ReadonlySet<string> = new Set(["stroke", "background"]);

export function recolour(spec: TopLevelSpec, scheme: Scheme): TopLevelSpec {
  const coloured = scheme === "light" ? spec : (darkened(spec, "") as TopLevelSpec);
  const symbol = scheme === "light" ? "#57606a" : "#a9b2bd";
  return {
    ...coloured,
    config: {
      ...coloured.config,
      background: paper[scheme],
      // Symbols of a legend that shows shapes only.
      legend: {
        ...coloured.config?.legend,
        symbolBaseFillColor: symbol,
        symbolBaseStrokeColor: symbol,
      },
    },
  };
}

/** A heat map keeps its scale and all that is drawn on it: its cells are the paper of that. */
function darkened(value: unknown, key: string): unknown {
  if (typeof value === "string") {
    if (value === "white") return paperKeys.has(key) ? paper.dark : value;
    return darkOf[value.toLowerCase()] ?? value;
  }
  if (Array.isArray(value)) {
    return key === "layer" && value.some(isHeatMap)
      ? value
      : value.map((one) => darkened(one, key));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    // Data has names in it, and a name may look like a colour.
    Object.entries(value).map(([name, one]) => [name, name === "data" ? one : darkened(one, name)]),
  );
}

interface MarkLayer {
  readonly mark?: { readonly type?: unknown };
  readonly encoding?: { readonly color?: { readonly type?: unknown } };
}

function isHeatMap(layer: MarkLayer): boolean {
  return layer.mark?.type === "rect" && layer.encoding?.color?.type === "quantitative";
}
