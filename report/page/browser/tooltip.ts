/**
 * What a mark says when pointed at: the facts of its row, without the helpers that only place it.
 */
import { figure } from "../../format.ts";

/** Fields that a chart needs to draw and nobody needs to read. */
const hidden: ReadonlySet<string> = new Set([
  "start",
  "end",
  "room",
  "text",
  "isWhole",
  "isFirst",
  "isWinner",
  "left",
  "right",
  "base",
  "top",
  "low",
  "high",
  "from",
  "to",
  "lead",
]);

/** Vega-Lite's own, for the order of panels. */
const sortIndex = /_sort_index$/;

const names: Readonly<Record<string, string>> = {
  case: "program",
  part: "what",
  bar: "scheme",
  median: "slowdown, median",
  min: "least",
  max: "most",
  share: "share of walks",
  mean: "mean references",
};

/** For vega-tooltip: `sanitize` turns anything into harmless markup. */
export function tooltipMarkup(value: unknown, sanitize: (text: unknown) => string): string {
  if (typeof value !== "object" || value === null) return sanitize(value);
  const cells: [string, unknown][] = Object.entries(withValue(value));
  const rows = cells
    .filter(([name, cell]) => !hidden.has(name) && !sortIndex.test(name) && isShown(cell))
    .map(([name, cell]) => {
      const text = typeof cell === "number" ? figure(cell) : cell;
      return `<tr><th>${sanitize(names[name] ?? name)}</th><td>${sanitize(text)}</td></tr>`;
    });
  return `<table>${rows.join("")}</table>`;
}

/** A part of a stack is as long as from its start to its end, unless it says how long it was before it was cut. */
function withValue(datum: object): object {
  const { start, end } = datum as { readonly start?: unknown; readonly end?: unknown };
  const isPart = typeof start === "number" && typeof end === "number" && !("value" in datum);
  return isPart ? { ...datum, value: end - start } : datum;
}

/** Vega adds fields of its own, whose values are objects or whose names are symbols. */
function isShown(cell: unknown): boolean {
  return typeof cell === "string" || typeof cell === "number";
}
