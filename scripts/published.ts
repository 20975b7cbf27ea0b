/**
 * `npm run validate -- --published`: the table, the figure, and what a terminal shows of them.
 */
import { availableParallelism } from "node:os";
import { readFile, writeFile } from "node:fs/promises";
import { idsOf, measuredTolerance } from "../claims/published/claim.ts";
import { claims } from "../claims/published/claims/index.ts";
import {
  type Compared,
  runClaims,
  surprises as surprisesOf,
  validatePublished,
} from "../claims/published/index.ts";
import { publishedScore, scoreText } from "../claims/published/score.ts";
import { ConfigError, quote } from "../bench/input/config-error.ts";
import { replaceFiles } from "../bench/files/result-files.ts";
import { publishedChart } from "../report/charts/published.ts";
import { publishedPage } from "../report/published-page.ts";
import { publishedTable } from "../report/published-table.ts";
import { pngOf, svgOf } from "../report/render.ts";

export const publishedFolder = new URL("../results/published", import.meta.url).pathname;
const readme = new URL("../README.md", import.meta.url).pathname;

/**
 * Runs the claims, those of `paper` alone if it is not null; only all of them are written to `out`. Returns the exit
 * code: 1 if a claim misses without a reason beside it, or is met against one.
 */
export async function runPublished(out: string, paper: string | null): Promise<0 | 1> {
  const threads = { workers: availableParallelism(), progress };
  if (paper !== null) return show(await runClaims(claimsOf(paper), threads));
  const validation = await validatePublished({ out, ...threads });
  const { compared, rows } = validation;
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
  await tellReadme();
  const exitCode = show(compared);
  const counts = Object.entries(rows).map(([role, ids]) => `${ids.length} ${role}`);
  console.log(`published rows: ${counts.join(", ")}`);
  return exitCode;
}

/** The README's sentence between its two marks, from the table that was just written. */
async function tellReadme(): Promise<void> {
  const text = await readFile(readme, "utf8");
  const sentence = `<!-- score --> ${scoreText(publishedScore())} <!-- /score -->`;
  await writeFile(readme, text.replace(/<!-- score -->[^]*<!-- \/score -->/, sentence));
}

function progress(done: number, total: number): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`\r${done}/${total} claims${done === total ? "\n" : ""}`);
}

/** Claims on a row whose id begins with one of `ids`, which commas part. */
export function claimsOf(ids: string) {
  const starts = ids.split(",").map((id) => id.trim().toUpperCase());
  return starts.flatMap((start) => {
    const some = claims.filter((claim) => idsOf(claim).some((id) => id.startsWith(start)));
    if (start !== "" && some.length > 0) return some;
    throw new ConfigError(
      `--paper ${quote(start)}: no claim rests on such a row; allowed: the beginning of an id, such as AA06 or PV23-03`,
    );
  });
}

function show(compared: readonly Compared[]): 0 | 1 {
  const { isTTY, columns } = process.stdout;
  console.log(publishedTable(compared.map(lineOf), { columns: columns ?? 110, colour: isTTY }));
  console.log("");
  const surprises = surprisesOf(compared);
  for (const { claim, met } of surprises) {
    console.log(
      `unexpected: ${claim.name}: ${met ? "met, although a reason says it is missed" : "missed"}`,
    );
  }
  const missed = compared.filter(({ met }) => !met).length;
  console.log(`${compared.length} claims compared, ${missed} missed`);
  return surprises.length === 0 ? 0 : 1;
}

function lineOf({ claim, ...values }: Compared) {
  const { name, unit, how, missedBecause } = claim;
  return { ...values, name, unit, how, missedBecause, class: claim.class, ids: idsOf(claim) };
}
