/**
 * The two dimensions of a walk as a grid: a row per guest level and one for the page, a column per nested level.
 *
 * Under shadow paging and on bare metal one column is left, which is the point of them.
 */
import type { PagingLevels } from "../../machine/address.ts";
import { element } from "../page/browser/dom.ts";
import type { ShownWalk, WalkStep } from "./walk.ts";
import { entryNames } from "./walk-words.ts";

export interface GridLevels {
  readonly guestLevels: PagingLevels;
  readonly nestedLevels: PagingLevels;
}

/** `now` counts from 0; -1 shows the grid before the first read. */
export function walkGrid(
  { steps, isNested }: ShownWalk,
  { guestLevels, nestedLevels }: GridLevels,
  now: number,
): HTMLElement {
  const nested = isNested ? down(nestedLevels) : [];
  const rows = [...down(guestLevels), ...(isNested ? [0] : [])];
  const head = element(
    "tr",
    {},
    element("td", {}),
    ...nested.map((level) => element("th", { scope: "col" }, `nested ${level}`)),
    element("th", { scope: "col" }, "entry"),
  );
  const body = rows.map((row) => {
    const name = row === 0 ? "the page" : (entryNames[row] ?? "");
    const cells = nested.map((level) => cell(stepAt(steps, row, "nested", level), now));
    const entry =
      row === 0
        ? element("td", { class: "cell page" }, now >= steps.length - 1 ? "found" : "")
        : cell(stepAt(steps, row, "guest", row), now);
    return element("tr", {}, element("th", { scope: "row" }, name), ...cells, entry);
  });
  return element(
    "table",
    { class: "walk-grid" },
    element(
      "caption",
      {},
      "Numbers give the order of the reads; a dash is a read that was not needed.",
    ),
    element("thead", {}, head),
    element("tbody", {}, ...body),
  );

  function cell(place: number, at: number): HTMLElement {
    if (place < 0) return element("td", { class: "cell skipped" }, "–");
    const state = place === at ? "now" : place < at ? "done" : "ahead";
    const step = steps[place];
    const attributes = { class: `cell ${state} ${step?.dimension ?? ""}` };
    return state === "now"
      ? element("td", { ...attributes, "aria-current": "step" }, String(place + 1))
      : element("td", attributes, String(place + 1));
  }
}

function down(levels: number): number[] {
  return Array.from({ length: levels }, (_, index) => levels - index);
}

function stepAt(
  steps: readonly WalkStep[],
  row: number,
  dimension: WalkStep["dimension"],
  level: number,
): number {
  return steps.findIndex(
    (step) => step.row === row && step.dimension === dimension && step.level === level,
  );
}
