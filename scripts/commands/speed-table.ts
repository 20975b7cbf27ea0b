/** Tables of `shadewalk speed`: columns by header; words to the left, numbers to the right. */
import { type GridColumn, gridLines } from "../../report/text-grid.ts";

export function speedTable(columns: Readonly<Record<string, readonly string[]>>): string {
  const grid = Object.entries(columns).map(([header, cells]): GridColumn => ({
    align: cells.every((text) => /^[\d-]/.test(text)) ? "right" : "left",
    header: [header],
    cells: cells.map((text) => [{ text, style: "plain" }]),
  }));
  return gridLines(grid, false).join("\n");
}
