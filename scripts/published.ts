/**
 * `npm run validate -- --published`: the table, the figure, and what a terminal shows of them.
 */
import { writeFile } from "node:fs/promises";
import { idsOf, measuredTolerance } from "../claims/published/claim.ts";
import { type Compared, validatePublished } from "../claims/published/index.ts";
import { replaceFiles } from "../bench/files/result-files.ts";
import { publishedChart } from "../report/charts/published.ts";
import { publishedPage } from "../report/published-page.ts";
import { publishedTable } from "../report/published-table.ts";
import { pngOf, svgOf } from "../report/render.ts";

export const publishedFolder = new URL("../results/published", import.meta.url).pathname;

/** Returns the exit code: 1 if a claim misses without a reason beside it, or is met against one. */
export async function runPublished(out: string): Promise<0 | 1> {
  const { isTTY, columns } = process.stdout;
  const progress = (done: number, total: number) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done}/${total} claims`);
  };
  const validation = await validatePublished({ out, progress });
  const { compared, missed, surprises, rows } = validation;
  if (process.stderr.isTTY) process.stderr.write("\n");
  const spec = publishedChart(compared.map(lineOf), measuredTolerance);
  const svg = await svgOf(spec);
  const page = publishedPage({
    lines: compared.map(lineOf),
    notCompared: validation.notCompared,
    calibration: rows.calibration,
    hints: rows.hint,
    tolerance: measuredTolerance,
  });
  await replaceFiles(out, {
    "README.md": (path) => writeFile(path, page),
    "published.vl.json": (path) => writeFile(path, `${JSON.stringify(spec, null, 1)}\n`),
    "published.svg": (path) => writeFile(path, svg),
    "published.png": (path) => writeFile(path, pngOf(svg)),
  });
  console.log(publishedTable(compared.map(lineOf), { columns: columns ?? 110, colour: isTTY }));
  const counts = Object.entries(rows).map(([role, ids]) => `${ids.length} ${role}`);
  console.log(`\npublished rows: ${counts.join(", ")}`);
  for (const { claim, met } of surprises) {
    console.log(
      `unexpected: ${claim.name}: ${met ? "met, although a reason says it is missed" : "missed"}`,
    );
  }
  console.log(`${compared.length} claims compared, ${missed} missed`);
  return surprises.length === 0 ? 0 : 1;
}

function lineOf({ claim, ...values }: Compared) {
  const { name, unit, how, missedBecause } = claim;
  return { ...values, name, unit, how, missedBecause, class: claim.class, ids: idsOf(claim) };
}
