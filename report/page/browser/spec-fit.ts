/**
 * A chart in the width there is: fewer panels in a row, narrower or wider ones, legends of fewer columns.
 *
 * Charts are designed for a sheet of paper. A wide screen gets wider panels instead of empty space or larger
 * letters, a telephone the same panels below each other instead of a picture shrunk until nobody can read it.
 * Title and remarks become text of the page.
 */
import type { TopLevelSpec } from "vega-lite";

export interface FittedSpec {
  readonly title: string;
  readonly remarks: readonly string[];
  readonly spec: TopLevelSpec;
}

/** The smallest letters of a page, and those of a screen at the end of a hall, before the picture as a whole is enlarged. */
const letterMin = { designed: 12, filled: 15 } as const;
const letterSizes: ReadonlySet<string> = new Set([
  "fontSize",
  "labelFontSize",
  "titleFontSize",
  "subtitleFontSize",
]);

type Json = Readonly<Record<string, unknown>>;

/** Average width of a letter of an axis label, and of a legend entry's without its symbol, in heights of a letter. */
const labelLetter = 0.53;
const legendLetter = 0.58;
const panelWidthMin = 130;
/** Wider than this, a panel says no more. */
const growthMax = 3;
const stepMax = 300;
/** Padding of the chart, an axis' ticks and the gap to the next panel. */
const panelMargin = 44;
const panelGap = 26;

/** Panels in a row: no more than the figure was designed with, or as many as there is room for. */
export type PanelRow = "designed" | "filled";

interface Sheet {
  /** In pixels. */
  readonly width: number;
  readonly row: PanelRow;
}

export function fitSpec(
  whole: TopLevelSpec,
  width: number,
  row: PanelRow = "designed",
): FittedSpec {
  const { title, ...spec }: Json = { ...whole };
  const { text, subtitle } = isJson(title) ? title : { text: title, subtitle: [] };
  return {
    title: lines(text).join(" "),
    remarks: lines(subtitle),
    spec: {
      ...(fitted(spec, { width, row }) as TopLevelSpec),
      autosize: { type: "pad", contains: "padding" },
    },
  };
}

function lines(value: unknown): string[] {
  if (Array.isArray(value)) return value.filter((line) => typeof line === "string");
  return typeof value === "string" ? [value] : [];
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fitted(node: unknown, sheet: Sheet): unknown {
  if (Array.isArray(node)) return node.map((one) => fitted(one, sheet));
  if (!isJson(node)) return node;
  const legendFitted = Object.fromEntries(
    Object.entries(node).map(([name, value]) => {
      // Rows of data are many and have nothing to fit.
      if (name === "data") return [name, value];
      if (letterSizes.has(name) && typeof value === "number") {
        return [name, Math.max(letterMin[sheet.row], value)];
      }
      const inside = fitted(value, sheet);
      const isLegend = name === "legend" && isJson(inside);
      return [name, isLegend ? fitLegend(inside, node, sheet) : inside];
    }),
  );
  return fitPanels(fitStep(legendFitted, sheet), sheet);
}

/** Cells of a table: as wide as fills the row. */
function fitStep(node: Json, sheet: Sheet): Json {
  const step = isJson(node["width"]) ? node["width"]["step"] : undefined;
  const encoding = isJson(node["encoding"]) ? node["encoding"] : {};
  const cells = isJson(encoding["x"]) ? listOf(encoding["x"]["sort"]).length : 0;
  if (typeof step !== "number" || cells === 0) return node;
  const fit = Math.floor((sheet.width - labelWidth(node, sheet) - panelMargin) / cells);
  return { ...node, width: { step: Math.max(step, Math.min(stepMax, fit)) } };
}

/** A facet or a concatenation with a number of columns: as many as fit. */
function fitPanels(node: Json, sheet: Sheet): Json {
  const { width, row } = sheet;
  const panels = [node["spec"], ...listOf(node["concat"])];
  const panel = panels.find((one) => isJson(one) && typeof one["width"] === "number");
  if (typeof node["columns"] !== "number" || !isJson(panel)) return node;
  const labels = labelWidth(node, sheet);
  const wide = Number(panel["width"]);
  const shown = Math.min(wide, Math.max(panelWidthMin, width - labels - panelMargin));
  // Panels of a facet share the labels of the first; those of a concatenation have their own.
  const each = shown + panelGap + (node["spec"] === undefined ? labels + panelMargin : 0);
  const all = width - panelMargin - (node["spec"] === undefined ? 0 : labels);
  const fitting = Math.max(1, Math.floor((all + panelGap) / each));
  const columns = row === "filled" ? evenly(fitting, node) : Math.min(node["columns"], fitting);
  const room = Math.floor((all + panelGap) / columns) - (each - shown);
  const filled = Math.max(shown, Math.min(room, growthMax * wide));
  const fit = (one: unknown) => {
    if (!isJson(one) || one["width"] !== wide) return one;
    // A square stays one.
    return { ...one, width: filled, ...(one["height"] === wide && { height: filled }) };
  };
  return {
    ...node,
    columns,
    ...(node["spec"] === undefined ? {} : { spec: fit(node["spec"]) }),
    ...(node["concat"] === undefined ? {} : { concat: listOf(node["concat"]).map(fit) }),
  };
}

/** So many columns, or fewer, that the last row is not much shorter than the others. */
function evenly(columns: number, node: Json): number {
  const facet = isJson(node["facet"]) ? listOf(node["facet"]["sort"]) : [];
  const panels = Math.max(1, facet.length, listOf(node["concat"]).length);
  return Math.ceil(panels / Math.ceil(panels / columns));
}

/** Room that the longest label beside a panel takes: the longest value of a field on a y axis. */
function labelWidth(node: Json, { row }: Sheet): number {
  const fields = new Set<string>();
  collectLabelFields(node, fields);
  const longest = longestValue(node, fields);
  return Math.min(320, longest * labelLetter * letterMin[row]) + 24;
}

function collectLabelFields(node: unknown, fields: Set<string>): void {
  if (Array.isArray(node)) for (const one of node) collectLabelFields(one, fields);
  if (!isJson(node)) return;
  const y = isJson(node["encoding"]) ? node["encoding"]["y"] : undefined;
  if (isJson(y) && y["type"] === "nominal" && typeof y["field"] === "string")
    fields.add(y["field"]);
  // A quantitative axis that writes engines' names does so from the rows' engine.
  if (isJson(y) && isJson(y["axis"]) && "labelExpr" in y["axis"]) fields.add("engine");
  for (const [name, value] of Object.entries(node)) {
    if (name !== "data") collectLabelFields(value, fields);
  }
}

function longestValue(node: unknown, fields: ReadonlySet<string>): number {
  if (Array.isArray(node)) return Math.max(0, ...node.map((one) => longestValue(one, fields)));
  if (!isJson(node)) return 0;
  const own = Object.entries(node).map(([name, value]) =>
    fields.has(name) && typeof value === "string" ? value.length : longestValue(value, fields),
  );
  return Math.max(0, ...own);
}

function fitLegend(legend: Json, { scale }: Json, { width, row }: Sheet): Json {
  const gradient = legend["gradientLength"];
  const length =
    typeof gradient === "number" ? { gradientLength: Math.min(gradient, width - 60) } : {};
  const domain = isJson(scale) ? lines(scale["domain"]) : [];
  const entry =
    Math.max(0, ...domain.map((name) => name.length)) * legendLetter * letterMin[row] + 26;
  const fit = Math.max(1, Math.floor(width / entry));
  const columns = typeof legend["columns"] === "number" ? legend["columns"] : domain.length;
  return {
    ...legend,
    ...length,
    columns: Math.max(1, Math.min(columns, fit)),
    titleLimit: width - 20,
  };
}
