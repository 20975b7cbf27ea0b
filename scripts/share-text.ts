/**
 * Rows of `shadewalk share` for a terminal: a table per scenario, engines below each other.
 */
import { scenarios } from "../host/sharing/index.ts";
import type { SharingAnswer } from "../host/sharing/answers.ts";
import type { ShareRow } from "../host/sharing/share.ts";
import { gridLines, wrapWords } from "../report/text-grid.ts";

interface Column {
  readonly header: readonly string[];
  readonly text: (row: ShareRow) => string;
}

const columns: readonly Column[] = [
  { header: ["", "engine"], text: ({ engine }) => engine },
  { header: ["exits", "alone"], text: ({ exitsAlone }) => whole(exitsAlone) },
  { header: ["exits", "shared"], text: ({ exits }) => whole(exits) },
  { header: ["", "broken"], text: ({ sharesBroken }) => whole(sharesBroken) },
  { header: ["", "reused"], text: ({ sharesReused }) => whole(sharesReused) },
  {
    header: ["neighbours", "unmapped"],
    text: ({ neighboursUnmapped }) => whole(neighboursUnmapped),
  },
  { header: ["host faults", "minor"], text: ({ hostFaults }) => whole(hostFaults) },
  { header: ["", "major"], text: ({ hostMajorFaults }) => whole(hostMajorFaults) },
  { header: ["MiB saved", "peak"], text: ({ framesSavedPeak }) => mebibytes(framesSavedPeak) },
  { header: ["", "end"], text: ({ framesSavedEnd }) => mebibytes(framesSavedEnd) },
  {
    header: ["Mcycles", "added"],
    text: ({ cycles, cyclesAlone }) => ((cycles - cyclesAlone) / 1e6).toFixed(1),
  },
  { header: ["", "slowdown"], text: ({ slowdown }) => slowdown.toFixed(2) },
];

export function shareText(rows: readonly ShareRow[]): string {
  const lines: string[] = [];
  for (const [name, group] of Map.groupBy(rows, ({ scenario }) => scenario)) {
    const { title, summary } = scenarios[name];
    const guests = group[0]?.guests ?? 0;
    lines.push(
      `${title} (${name}, ${guests} ${guests === 1 ? "guest" : "guests"})`,
      `${summary}`,
      "",
    );
    lines.push(...tableOf(group), "");
  }
  const checked = rows.reduce((sum, row) => sum + row.checked, 0);
  lines.push(
    "Slowdown is against the same guests without the scenario. Counts are the measured region's.",
  );
  if (checked > 0) lines.push(`The oracles checked ${checked} accesses.`);
  return lines.join("\n");
}

function tableOf(rows: readonly ShareRow[]): string[] {
  const grid = columns.map(({ header, text }, i) => ({
    align: i === 0 ? ("left" as const) : ("right" as const),
    header,
    cells: rows.map((row) => [{ text: text(row), style: "plain" as const }]),
  }));
  return gridLines(grid, false);
}

function whole(count: number): string {
  return String(count);
}

function mebibytes(frames: number): string {
  return (frames / 256).toFixed(1);
}

/** Claims one below the other, each with its number, its directions and where to look. */
export function answersText(answers: readonly SharingAnswer[]): string {
  return answers
    .flatMap(({ title, claim, number, evidence, checks }) => [
      title,
      ...wrapWords(claim.join(""), 100),
      ...wrapWords(number.join(""), 100).map((line) => `  ${line}`),
      ...checks.map(({ direction, holds }) => `  ${holds ? "holds" : "FAILS"}: ${direction}`),
      `  ${evidence.join("")}`,
      "",
    ])
    .join("\n");
}
