/** A difference of two results as lines: what moved, by how much, and who wins now. */
import type { Difference, Moved } from "../report/difference.ts";
import { short } from "../report/format.ts";

/** `linesMax` of each kind; the rest is counted. */
export function differenceText(difference: Difference, linesMax: number): string {
  const { counts, cycles, onlyBefore, onlyAfter, walks } = difference;
  const blocks = [
    block(counts.map(movedLine), "counters moved", linesMax),
    block(cycles.map(movedLine), "causes of cycles moved", linesMax),
    block(walks, "histograms of walk lengths differ", linesMax),
    block(onlyBefore, "rows only in the first", linesMax),
    block(onlyAfter, "rows only in the second", linesMax),
    ...consequences(difference, linesMax),
  ];
  return blocks.filter((text) => text !== "").join("\n\n");
}

/** What the difference means: means of slowdowns, and winners. */
export function consequences({ means, winners }: Difference, linesMax: number): string[] {
  return [
    block(
      means.map(({ setting, engine, before, after }) => {
        return `${engine}: ${short(before)} -> ${short(after)} (${setting})`;
      }),
      "geometric means of slowdowns changed",
      linesMax,
    ),
    block(
      winners.map(({ setting, program, before, after }) => {
        return `${program}: ${before.join(", ")} -> ${after.join(", ")} (${setting})`;
      }),
      "programs have other winners",
      linesMax,
    ),
  ];
}

function movedLine({ name, rows, example }: Moved): string {
  const { row, before, after } = example;
  return `${name}: in ${rows} rows, most in ${row}: ${before} -> ${after}`;
}

function block(lines: readonly string[], title: string, linesMax: number): string {
  if (lines.length === 0) return "";
  const shown = lines.slice(0, linesMax).map((line) => `  ${line}`);
  const rest = lines.length - shown.length;
  const more = rest === 0 ? [] : [`  and ${rest} more`];
  return [`${lines.length} ${title}:`, ...shown, ...more].join("\n");
}
