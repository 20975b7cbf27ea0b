/**
 * Draws charts: Vega-Lite spec, SVG by Vega, PNG by resvg, all without a browser or a system library.
 *
 * Spec and SVG are the same bytes on every machine: widths of text come from Vega's own estimate, and the
 * font of the PNG is a file of the project.
 */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Resvg } from "@resvg/resvg-js";
import { parse, resetSVGDefIds, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { ResultRows } from "../bench/results/result.ts";
import { arrange } from "./cases.ts";
import { charts } from "./charts/index.ts";
import { fontFamily } from "./theme.ts";

export interface ChartsToRender {
  /** Folder of the results; charts go into its folder `charts`, replacing those of an earlier run. */
  readonly folder: string;
  readonly rows: ResultRows;
}

const fontFiles = ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"].map((name) =>
  fileURLToPath(import.meta.resolve(`dejavu-fonts-ttf/ttf/${name}`)),
);

/** Draws every chart of every setting; returns the names of the files below `folder`. */
export function renderCharts({ folder, rows }: ChartsToRender): Promise<string[]> {
  return drawCharts(folder, chartSpecs(rows));
}

/** Draws these charts into the folder `charts` below `folder`, replacing those of an earlier run. */
export async function drawCharts(folder: string, specs: readonly NamedSpec[]): Promise<string[]> {
  const final = join(folder, "charts");
  const partial = join(folder, ".charts.partial");
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const names: string[] = [];
  try {
    for (const { name, spec } of specs) {
      const svg = await svgOf(spec);
      await writeFile(join(partial, `${name}.vl.json`), `${JSON.stringify(spec, null, 1)}\n`);
      await writeFile(join(partial, `${name}.svg`), svg);
      await writeFile(join(partial, `${name}.png`), pngOf(svg));
      names.push(...["vl.json", "svg", "png"].map((extension) => `charts/${name}.${extension}`));
    }
    await rm(final, { recursive: true, force: true });
    await rename(partial, final);
  } finally {
    // On a full disk what was drawn would be in the way.
    await rm(partial, { recursive: true, force: true });
  }
  return names;
}

export interface NamedSpec {
  readonly name: string;
  readonly spec: TopLevelSpec;
}

/** All charts; those of the largest setting bear the plain name. */
export function chartSpecs(rows: ResultRows): NamedSpec[] {
  return arrange(rows).flatMap((setting) =>
    Object.entries(charts).flatMap(([name, chart]) => {
      const spec = chart.spec(setting);
      return spec === null ? [] : [{ name: fileName(`${name} ${setting.slug}`), spec }];
    }),
  );
}

/** Letters, digits and hyphens only: engines and presets may have any name. */
function fileName(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9.]+/g, "-");
}

export async function svgOf(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  try {
    // Vega numbers gradients through the whole process; a chart's bytes must not depend on earlier ones.
    resetSVGDefIds();
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** At twice the SVG's size. `fonts` is for the test that shows what happens without. */
export function pngOf(svg: string, fonts: readonly string[] = fontFiles): Uint8Array {
  const font = { loadSystemFonts: false, fontFiles: [...fonts], defaultFontFamily: fontFamily };
  return new Resvg(svg, { font, fitTo: { mode: "zoom", value: 2 } }).render().asPng();
}
