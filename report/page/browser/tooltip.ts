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
  "x",
  "x2",
  "y",
  "y2",
  "colour",
  "number",
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
  ratio: "shadow over EPT, cycles",
  misses: "TLB misses per 1000",
  updates: "table updates per 1000",
  exits: "exits per 1000",
  references: "walk references",
};

/** For vega-tooltip: `sanitize` turns anything into harmless markup. */
export function tooltipMarkup(value: unknown, sanitize: (text: unknown) => string): string {
  if (typeof value !== "object" || value === null) return sanitize(value);
  const cells: [string, unknown][] = Object.entries({ ...withValue(value), ...spanOf(value) });
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

/** A square of a phase map, in words. */
function spanOf(datum: object): Readonly<Record<string, string>> {
  const { x, x2, y, y2 } = datum as Readonly<Record<string, unknown>>;
  if (![x, x2, y, y2].every((one) => typeof one === "number")) return {};
  const span = (from: unknown, to: unknown) => `${figure(Number(from))} to ${figure(Number(to))}`;
  return { misses: span(x, x2), updates: span(y, y2) };
}

/** Vega adds fields of its own, whose values are objects or whose names are symbols. */
function isShown(cell: unknown): boolean {
  return typeof cell === "string" || typeof cell === "number";
}
