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
  "#0072b2": "#3d9fe0",
  "#009e73": "#17b98a",
  "#332288": "#8f7fe8",
  "#882255": "#d3679f",
  "#d55e00": "#f0792a",
  "#004a75": "#7cc4f5",
  "#9c4400": "#ffb37a",
};
/** Only these carry text or lines; "white" elsewhere is a figure on a dark cell and stays. */
const paperKeys: ReadonlySet<string> = new Set(["stroke", "background"]);

export function recolour(spec: TopLevelSpec, scheme: Scheme): TopLevelSpec {
  const coloured = scheme === "light" ? spec : (darkened(spec, "", false) as TopLevelSpec);
  return {
    ...coloured,
    config: { ...coloured.config, background: paper[scheme] },
  };
}

/** Cells of a heat map keep their scale and what is written on it; all else is turned. */
function darkened(value: unknown, key: string, isOnCell: boolean): unknown {
  if (typeof value === "string") {
    if (value === "white") return paperKeys.has(key) ? paper.dark : value;
    return isOnCell ? value : (darkOf[value.toLowerCase()] ?? value);
  }
  if (Array.isArray(value)) return value.map((one) => darkened(one, key, isOnCell));
  if (typeof value !== "object" || value === null) return value;
  // Data has names in it, and a name may look like a colour.
  if (key === "values" && !isOnCell) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => {
      if (name === "data") return [name, one];
      return [name, darkened(one, name, isOnCell || isCellText(value))];
    }),
  );
}

/** A text layer whose colour depends on its cell: black or white by the cell, not by the page. */
function isCellText(layer: object): boolean {
  const { encoding } = layer as { encoding?: { text?: unknown; color?: { condition?: unknown } } };
  return encoding?.text !== undefined && encoding.color?.condition !== undefined;
}
