/**
 * One mapping for a device under several schemes side by side, call by call: exits, calls of the host, entries, walks.
 */
import { type SteppedDma, stepDma } from "../../host/dma/step-dma.ts";
import { dmaSchemes, type DmaSchemeName } from "../../viommu/index.ts";
import { choice, element } from "../page/browser/dom.ts";
import { happeningCard } from "./happening-card.ts";

const shownFirst: ReadonlySet<DmaSchemeName> = new Set(["shadow-cm", "shadow-wp", "nested"]);
const names = Object.keys(dmaSchemes) as DmaSchemeName[];

export function dmaExplorer(place: HTMLElement): void {
  const flush = choice(
    "Guest's kernel invalidates",
    [
      ["strict", "at each unmap (strict)"],
      ["lazy", "later, for many (lazy)"],
    ],
    run,
  );
  const preset = choice(
    "IOMMU",
    [
      ["vt-d", "with caches"],
      ["textbook", "without caches"],
    ],
    run,
  );
  const pages = choice(
    "Scattered pages",
    [1, 2, 4, 16].map((count) => [String(count), String(count)]),
    run,
  );
  const boxes = names.map((scheme) => {
    const box = element("input", { type: "checkbox", checked: shownFirst.has(scheme) });
    box.addEventListener("change", run);
    return { scheme, box };
  });
  const list = element("ol", { class: "instructions" });
  place.append(
    element(
      "div",
      { class: "pickers" },
      flush.field,
      preset.field,
      pages.field,
      element(
        "fieldset",
        {},
        element("legend", {}, "Schemes"),
        ...boxes.map(({ scheme, box }) => element("label", {}, box, ` ${scheme}`)),
      ),
    ),
    list,
  );
  run();

  function run(): void {
    const chosen = boxes.filter(({ box }) => box.checked);
    const stepped = chosen.map(({ scheme }) =>
      stepDma({
        scheme,
        flush: flush.value() === "lazy" ? "lazy" : "strict",
        preset: preset.value() === "textbook" ? "textbook" : "vt-d",
        backing: "4k",
        seed: 1,
        pages: Number(pages.value()),
      }),
    );
    list.replaceChildren(...stepsOf(stepped));
  }
}

function stepsOf(stepped: readonly SteppedDma[]): HTMLElement[] {
  const [first] = stepped;
  return (first?.steps ?? []).map(({ what }, index) =>
    element(
      "li",
      {},
      element("h3", {}, what),
      element(
        "div",
        { class: "cards" },
        ...stepped.map(({ scheme, steps }) => {
          const { lines = [], exits = 0 } = steps[index] ?? {};
          return happeningCard(scheme, exits, lines);
        }),
      ),
    ),
  );
}
