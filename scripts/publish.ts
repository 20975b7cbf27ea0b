/**
 * A finished run made readable: tables, manifest, charts in its folder, and what the terminal shows.
 *
 * `bench` and `merge` end here, so that a sweep computed in parts leaves the files of a single run.
 */
import { stringify } from "csv-stringify/sync";
import { type RunToWrite, writeRun } from "../bench/sweeps/write-run.ts";
import { writeFile } from "node:fs/promises";
import { replaceFiles } from "../bench/files/result-files.ts";
import { engineFamilies } from "../bench/points/catalogue.ts";
import { assumedText } from "../bench/costs/price-list.ts";
import { headlineTable } from "../report/headline.ts";
import { cachesText } from "./caches-text.ts";
import { dmaText } from "./dma-text.ts";
import { type TableOptions, terminalTable } from "../report/table.ts";

const tables = "points.csv, walks.csv, manifest.json, host.json";

/** Writes everything; returns the text for the terminal. */
export async function publish(run: RunToWrite): Promise<string> {
  const { folder, finished } = run;
  const rows = await writeRun(run);
  // Loaded now, because drawing is a third of what the command line loads and only this needs it.
  const { renderCharts } = await import("../report/render.ts");
  const pictures = await renderCharts({ folder, rows });
  const headline = headlineTable(rows.points);
  if (headline !== "") {
    await replaceFiles(folder, { "slowdown.md": (path) => writeFile(path, headline) });
  }
  const devices = await publishDevices(run);
  const files = `${tables}${devices === "" ? "" : ", devices.csv"}, ${pictures.length} chart files`;
  const count = `${finished.length} points in ${folder}/: ${files}`;
  const own = new Set(rows.points.map(({ cost }) => cost));
  const prices = `Prices that are assumed: ${assumedText(run.cost === undefined ? [...own] : [run.cost])}.`;
  return `${terminalTable(rows.points, terminal())}\n${devices}${cachesText(rows.points)}${prices}\n${count}`;
}

/** What the sweep says of devices, unless only some of its points were to run. */
async function publishDevices({ folder, sweep, points }: RunToWrite): Promise<string> {
  const { devices, points: all } = sweep.sweep;
  if (devices === undefined || points.length < all.length) return "";
  const { smallDeviceSweep } = await import("../host/dma/small-sweep.ts");
  const rows = smallDeviceSweep();
  const text = stringify([...rows], { header: true });
  await replaceFiles(folder, { "devices.csv": (path) => writeFile(path, text) }, { sums: "all" });
  return `\n${dmaText("Devices", "a guest's network card, a page per packet", rows)}\n\n`;
}

function terminal(): TableOptions {
  const { stdout } = process;
  const colour = stdout.isTTY && stdout.hasColors();
  // A pipe or a log has no width; most readers are wider than a terminal of old.
  return { columns: stdout.columns || 120, colour, families: engineFamilies() };
}
