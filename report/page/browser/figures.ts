/**
 * The figures of the answers at their places, those of a folded claim too, so that opening and printing are instant.
 */
import type { TopLevelSpec } from "vega-lite";
import { draw } from "./draw.ts";
import { waterfallPicker } from "./waterfall-picker.ts";

type Figures = Readonly<Record<string, TopLevelSpec>>;

export async function drawFigures(figures: Figures): Promise<void> {
  for (const place of document.querySelectorAll<HTMLElement>("[data-figure]")) {
    await drawFigure(place, figures);
  }
}

/** The figure whose name `place` bears. */
export async function drawFigure(place: HTMLElement, figures: Figures): Promise<void> {
  const given = figures[place.dataset["figure"] ?? ""];
  if (given === undefined) return;
  // Vega may write into what it draws.
  const spec = structuredClone(given);
  await (waterfallPicker(place, spec) ?? draw(place, spec));
}
