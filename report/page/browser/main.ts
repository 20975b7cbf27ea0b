/**
 * The page comes alive: figures, pickers, explorers, table.
 */
import { operationsExplorer } from "../../explorer/operations-view.ts";
import { walkExplorer } from "../../explorer/walk-view.ts";
import { type PageData, unpackRows } from "../page-data.ts";
import { chartSection } from "./chart-section.ts";
import { byId } from "./dom.ts";
import { draw } from "./draw.ts";
import { pointsTable } from "./points-table.ts";
import { themeSwitch } from "./theme-switch.ts";

const data = JSON.parse(byId("data").textContent) as PageData;
const rows = unpackRows(data.rows);
const drawCharts = chartSection(byId("charts"), rows);

async function drawEverything(): Promise<void> {
  for (const figure of document.querySelectorAll<HTMLElement>("[data-figure]")) {
    const spec = data.figures[figure.dataset["figure"] ?? ""];
    // Vega may write into what it draws.
    if (spec !== undefined) await draw(figure, structuredClone(spec));
  }
  await drawCharts();
  document.documentElement.dataset["ready"] = "yes";
}

/** Turning a telephone changes the width; a scroll bar that comes or goes is no reason to draw anew. */
let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (Math.abs(window.innerWidth - width) < 40) return;
  width = window.innerWidth;
  void drawEverything();
});
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});

themeSwitch(byId("theme"), () => void drawEverything());
pointsTable(byId("points"), rows.points);
walkExplorer(byId("walk"));
operationsExplorer(byId("operations"));
void drawEverything();
