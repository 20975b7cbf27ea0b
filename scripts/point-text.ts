/**
 * One run as text: what was counted, how long walks were, what it cost, section by section.
 *
 * Counts that are zero everywhere are left out; most are, under most engines.
 */
import type { OneOutcome } from "../bench/points/run-one.ts";
import { counterNames, cycleCategories, pageSizeWords } from "../bench/results/result.ts";

/** Reads as a table of one column per section (set-up and measured, or the phases of a trace). */
export function pointText(outcome: OneOutcome): string {
  const { run, sections, cost, checksum, checked, label } = outcome;
  const names = sections.map((section) => section.name);
  const counts = counterNames.map((counter) => {
    return [counter, ...sections.map(({ ledger }) => ledger[counter])] as const;
  });
  const pages = ["dirtyPages", ...sections.map(({ dirtyPages }) => dirtyPages)] as const;
  const lengths = (sections[0]?.walkLengths ?? []).map((_, references) => {
    return [`${references}`, ...sections.map((one) => one.walkLengths[references] ?? 0)] as const;
  });
  const cycles = cycleCategories.map((category) => {
    return [category, ...sections.map((one) => one.cycles[category])] as const;
  });
  const total = ["total", ...sections.map(({ cyclesTotal }) => cyclesTotal)] as const;
  return [
    `${run.engine}: ${programText(outcome)}`,
    ...(label === "" ? [] : [label]),
    "",
    ...table(["count", ...names], [...counts, pages].filter(isCounted)),
    "",
    ...table(["references per walk", ...names], lengths.filter(isCounted)),
    "",
    ...table([`cycles by ${cost}`, ...names], [...cycles.filter(isCounted), total]),
    "",
    `checksum ${checksum}${checked === 0 ? "" : `; the oracle checked ${checked} accesses`}`,
  ].join("\n");
}

/** What ran, and on what. */
export function programText({ run }: OneOutcome): string {
  const { program, preset, backing, guestLevels, nestedLevels, seed } = run;
  const name = "trace" in program ? `trace ${program.trace}` : workloadText(program);
  return `${name}\n${preset}, ${pageSizeWords[backing]} host pages, ${guestLevels}-on-${nestedLevels} levels, seed ${seed}`;
}

function workloadText({ workload, params }: { workload: string; params: object }): string {
  return [workload, ...Object.entries(params).map(([name, value]) => `${name}=${value}`)].join(" ");
}

/** A name and a figure per column. */
export type Line = readonly [name: string, ...values: number[]];

export function isCounted([, ...values]: Line): boolean {
  return values.some((value) => value !== 0);
}

/** The first column to the left, the others to the right. */
export function table(header: readonly string[], lines: readonly Line[]): string[] {
  if (lines.length === 0) return [];
  const cells = [header, ...lines.map((line) => line.map(String))];
  const widths = header.map((_, column) => {
    return Math.max(...cells.map((line) => line[column]?.length ?? 0));
  });
  return cells.map((line) =>
    line
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  "),
  );
}
