/**
 * Published claims for a terminal: both values, the difference, the verdict, and why each miss is one.
 */
import { short } from "./format.ts";
import type { TableOptions } from "./table.ts";
import { type GridCell, type GridColumn, gridLines, wrapWords } from "./text-grid.ts";

export interface PublishedLine {
  readonly name: string;
  readonly class: "a" | "b" | "c";
  readonly unit: string;
  readonly published: number;
  readonly simulated: number;
  /** Percent of the published value. */
  readonly difference: number;
  readonly met: boolean;
  readonly missedBecause: string | undefined;
}

export function publishedTable(
  lines: readonly PublishedLine[],
  options: Pick<TableOptions, "columns" | "colour">,
): string {
  const width = Math.max(40, options.columns);
  const missed = lines.filter(({ met }) => !met);
  return [
    ...gridLines(columnsOf(lines), options.colour),
    "",
    ...(missed.length === 0 ? [] : ["Missed, and why:"]),
    ...missed.flatMap(({ name, missedBecause }) =>
      wrapWords(`- ${name}: ${missedBecause ?? "nobody knows yet"}`, width),
    ),
  ].join("\n");
}

function columnsOf(lines: readonly PublishedLine[]): GridColumn[] {
  const column = (
    title: string,
    align: GridColumn["align"],
    cell: (line: PublishedLine) => string,
  ): GridColumn => ({
    header: [title],
    align,
    cells: lines.map((line): readonly GridCell[] => [
      { text: cell(line), style: line.met ? "plain" : "strong" },
    ]),
  });
  return [
    column("class", "left", (line) => line.class),
    column("claim", "left", ({ name }) => name),
    column("published", "right", ({ published }) => short(published)),
    column("simulated", "right", ({ simulated }) => short(simulated)),
    column("difference", "right", differenceText),
    column("verdict", "left", ({ met }) => (met ? "met" : "MISSED")),
    column("unit", "left", ({ unit }) => unit),
  ];
}

export function differenceText({ difference, published }: PublishedLine): string {
  if (difference === 0) return "0";
  const sign = difference > 0 ? "+" : "-";
  return sign + short(Math.abs(difference)) + (published === 0 ? "" : "%");
}
