/** What one instruction or call set off under one scheme: a card of lines, its exits beside its name. */
import { element } from "../page/browser/dom.ts";

export interface Happening {
  /** Who did it; a class of the style sheet too. */
  readonly actor: string;
  readonly text: string;
}

export function happeningCard(
  name: string,
  exits: number,
  happenings: readonly Happening[],
): HTMLElement {
  return element(
    "div",
    { class: "card" },
    element(
      "h4",
      {},
      name,
      element(
        "span",
        { class: exits === 0 ? "quiet" : "exits" },
        exits === 1 ? "1 exit" : `${exits} exits`,
      ),
    ),
    element(
      "ul",
      {},
      ...happenings.map(({ actor, text }) =>
        element("li", { class: actor }, element("b", {}, actor), ` ${text}`),
      ),
      ...(happenings.length === 0
        ? [element("li", { class: "quiet" }, "Nothing but the instruction.")]
        : []),
    ),
  );
}
