/**
 * The same address under the three families beside each other: what one TLB miss costs, a square per read.
 */
import type { CostModel } from "../../bench/costs/cost.ts";
import { element } from "../page/browser/dom.ts";
import { type WalkOptions, walkOf } from "./walk.ts";

const families = [
  ["native", "bare metal"],
  ["shadow-lazy", "shadow paging"],
  ["ept", "nested paging"],
] as const;

export function walkBeside(options: WalkOptions, { walk }: CostModel): HTMLElement {
  return element(
    "div",
    { class: "beside" },
    element("h3", {}, "The same miss under each scheme"),
    ...families.map(([engine, title]) => {
      const { steps } = walkOf({ ...options, engine });
      const cycles = Math.round(steps.length * walk.reference);
      return element(
        "div",
        { class: `beside-row${engine === options.engine ? " now" : ""}` },
        element("span", {}, title),
        element(
          "span",
          { class: "squares", role: "img", "aria-label": `${steps.length} reads` },
          ...steps.map(({ dimension }) => element("i", { class: dimension })),
        ),
        element("b", {}, `${readsText(steps.length)}, ${cycles} cycles`),
      );
    }),
  );
}

function readsText(reads: number): string {
  return reads === 1 ? "1 read" : `${reads} reads`;
}
