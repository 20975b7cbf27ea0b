/**
 * The page comes alive: prices, figures, pickers, explorers, table.
 */
import { attackExplorer } from "../../explorer/attack-view.ts";
import { dmaExplorer } from "../../explorer/dma-view.ts";
import { operationsExplorer } from "../../explorer/operations-view.ts";
import { walkExplorer } from "../../explorer/walk-view.ts";
import { type PageData, unpackRows } from "../page-data.ts";
import { followAddress, sectionState } from "./address.ts";
import { chartSection } from "./chart-section.ts";
import { byId, element } from "./dom.ts";
import { drawFigure, drawFigures } from "./figures.ts";
import { pointsTable } from "./points-table.ts";
import { priceSection } from "./price-section.ts";
import { livePrices } from "./prices.ts";
import { isSlideshow, slides } from "./slides.ts";
import { themeSwitch } from "./theme-switch.ts";

const data = JSON.parse(byId("data").textContent) as PageData;
const original = unpackRows(data.rows);
const prices = livePrices(original, data.costs);
if (prices === null) {
  byId("frontier").append(
    element(
      "p",
      { class: "note" },
      "The rows were priced by a cost file that the page does not have.",
    ),
  );
} else {
  priceSection(byId("frontier"), prices, data.costs);
}
const rowsNow = () => prices?.all() ?? original;
const drawCharts = chartSection(byId("charts"), rowsNow);
const fillPoints = pointsTable(byId("points"), rowsNow);
walkExplorer(byId("walk"), { costs: data.costs, state: sectionState("walk") });
operationsExplorer(byId("operations"), data.costs);
dmaExplorer(byId("dma"));
attackExplorer(byId("attack"), sectionState("attack"));

async function drawEverything(): Promise<void> {
  if (isSlideshow()) await showSlide();
  else {
    await drawFigures(data.figures);
    await drawCharts();
  }
  document.documentElement.dataset["ready"] = "yes";
}

/** Drawing all charts takes a second, so it waits until the slider rests. */
const restMilliseconds = 250;
let resting = 0;
prices?.onChange(() => {
  window.clearTimeout(resting);
  resting = window.setTimeout(() => {
    fillPoints();
    void drawCharts();
  }, restMilliseconds);
});

/** Turning a telephone changes the width; a scroll bar that comes or goes is no reason to draw anew. */
let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (Math.abs(window.innerWidth - width) < 40 && !isSlideshow()) return;
  width = window.innerWidth;
  void drawEverything();
});
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});

themeSwitch(byId("theme"), () => void drawEverything());
const showSlide = slides(byId("theme"), (figure) => drawFigure(figure, data.figures));
followAddress();
void drawEverything();
