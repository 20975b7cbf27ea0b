/**
 * The figures of the answers at their places, those of a folded claim too, so that opening and printing are instant.
 */
import type { TopLevelSpec } from "vega-lite";
import { draw } from "./draw.ts";
import { waterfallPicker } from "./waterfall-picker.ts";

export async function drawFigures(figures: Readonly<Record<string, TopLevelSpec>>): Promise<void> {
  for (const place of document.querySelectorAll<HTMLElement>("[data-figure]")) {
    const given = figures[place.dataset["figure"] ?? ""];
    if (given === undefined) continue;
    // Vega may write into what it draws.
    const spec = structuredClone(given);
    await (waterfallPicker(place, spec) ?? draw(place, spec));
  }
}
