/**
 * Who won and by how much, for a terminal: one line per case, one column per engine.
 *
 * Cells are slowdowns over `native`, median over seeds. What does not fit goes in steps: first the spread
 * moves from every cell into one column, then the table becomes a list.
 */
import { baselineEngine, type PointRow } from "../bench/results/result.ts";
import { arrange, seedsMax, type Setting } from "./cases.ts";
import { footnotes, type Footnotes } from "./footnotes.ts";
import { lead, short, shortSpread } from "./format.ts";
import { metricTitles, pickMetric, type Score, scoreCase } from "./score.ts";
import { countWins, type Families, programMeans } from "./means.ts";
import { halfRange, type Summary } from "./statistics.ts";
import {
  type GridCell,
  type GridColumn,
  gridLines,
  gridWidth,
  wrapName,
  wrapWords,
} from "./text-grid.ts";

export interface TableOptions {
  /** Width of the terminal in characters. */
  readonly columns: number;
  /** What silicon walks under each engine, by name. */
  readonly families: Families;
  /** True where escape codes for bold and green may be written. */
  readonly colour: boolean;
}

/** One table per setting, what their marks mean above the first. */
export function terminalTable(points: readonly PointRow[], options: TableOptions): string {
  const settings = arrange({ points, walks: [] });
  const seeds = Math.max(...settings.map(seedsMax));
  return [
    `${wrapWords(explanation(seeds), options.columns).join("\n")}\n`,
    ...settings.map((setting) => `${settingLines(setting, options).join("\n")}\n`),
  ].join("\n");
}

/** What the layouts share. */
interface Content {
  readonly labels: readonly string[];
  readonly engines: readonly string[];
  readonly scores: readonly Score[];
}

const labelWidthMax = 30;
const labelWidthMin = 14;

function settingLines(setting: Setting, options: TableOptions): string[] {
  const { cases } = setting;
  const metric = pickMetric(cases);
  const notes = footnotes(cases);
  const scores = cases.map((one) => scoreCase(one, metric));
  const engines = setting.engines.filter((engine) => engine !== baselineEngine);
  const labels = cases.map(({ label, note }) => label + notes.markOf(note));
  const content: Content = { labels, engines, scores };
  return [
    ...wrapWords(`${metricTitles[metric]}, ${setting.title}`, options.columns),
    "",
    ...(engines.length === 0 ? ["No engine beside native."] : bodyLines(content, options)),
    "",
    ...summaryLines(setting, options),
    ...noteLines(notes, options),
  ];
}

function explanation(seeds: number): string {
  const median = seeds > 1 ? `Medians of up to ${seeds} seeds, ± half their range. ` : "";
  return `${median}* is the fastest, or within 0.5% or the spread of it; lead: how far behind the next is.`;
}

function bodyLines(content: Content, { columns, colour }: TableOptions): string[] {
  const full = [labelColumn(content, labelWidthMax), ...engineColumns(content, "with-spread")];
  full.push(leadColumn(content));
  if (gridWidth(full) <= columns) return gridLines(full, colour);

  const rest = [...engineColumns(content, "median"), spreadColumn(content), leadColumn(content)];
  const labelWidth = Math.min(labelWidthMax, columns - gridWidth(rest) - 1);
  if (labelWidth >= labelWidthMin) {
    return gridLines([labelColumn(content, labelWidth), ...rest], colour);
  }
  return listLines(content, columns);
}

function labelColumn({ labels }: Content, width: number): GridColumn {
  const cells = labels.map((label) => wrapWords(label, width).map(plain));
  return { align: "left", header: ["workload"], cells };
}

function engineColumns({ engines, scores }: Content, form: "with-spread" | "median"): GridColumn[] {
  return engines.map((engine) => {
    const cells = scores.map(({ summaries, winners }) => {
      const summary = summaries.get(engine);
      if (summary === undefined) return [{ text: "- ", style: "faint" } as const];
      const value = form === "median" ? short(summary.median) : withSpread(summary);
      const isWinner = winners.has(engine);
      const style = isWinner ? "strong" : "plain";
      return [{ text: value + (isWinner ? "*" : " "), style } as const];
    });
    const width = Math.max(7, ...cells.flat().map(({ text }) => text.length));
    return { align: "right", header: wrapName(engine, width), cells };
  });
}

function withSpread(summary: Summary): string {
  const { median, count } = summary;
  return count === 1
    ? short(median)
    : `${short(median)}±${shortSpread(halfRange(summary), median)}`;
}

/** The largest spread of the line, in percent of its median: what the other columns left out. */
function spreadColumn({ scores }: Content): GridColumn {
  const cells = scores.map(({ summaries }) => {
    const spreads = [...summaries.values()]
      .filter(({ count }) => count > 1)
      .map((summary) => (100 * halfRange(summary)) / summary.median);
    const text = spreads.length === 0 ? "-" : `${Math.max(...spreads).toFixed(1)}%`;
    return [{ text, style: "faint" } as const];
  });
  return { align: "right", header: ["±max"], cells };
}

function leadColumn({ scores }: Content): GridColumn {
  const cells = scores.map(({ lead: ratio, winners }) => {
    if (ratio !== null) return [plain(lead(ratio))];
    return [plain(winners.size > 1 ? "draw" : "-")];
  });
  return { align: "right", header: ["lead"], cells };
}

/** For narrow terminals: each case a paragraph, the fastest engine first. */
function listLines({ labels, scores }: Content, columns: number): string[] {
  return scores.flatMap(({ summaries, winners }, index) => {
    const ranked = [...summaries]
      .filter(([engine]) => engine !== baselineEngine)
      .toSorted(([, a], [, b]) => a.median - b.median)
      .map(([engine, one]) => `${engine} ${withSpread(one)}${winners.has(engine) ? "*" : ""}`);
    const lines = wrapWords(ranked.join(", "), Math.max(20, columns - 2));
    return [...wrapWords(labels[index] ?? "", columns), ...lines.map((line) => `  ${line}`)];
  });
}

function summaryLines(setting: Setting, { columns, families }: TableOptions): string[] {
  if (!setting.isComparable) {
    const reason = "bare metal keeps the guest's large pages, a virtual machine cannot";
    return wrapWords(`No mean, no winners: ${reason}.`, columns);
  }
  const metric = pickMetric(setting.cases);
  const { programs, means } = programMeans(setting, metric);
  const wins = countWins(setting, metric, families);
  const texts = means.map(({ engine, mean }) => `${engine} ${short(mean)}`);
  return [
    ...(wins === null
      ? []
      : wrapWords(
          `Faster, in rows: shadow paging ${wins.shadow}, two-dimensional walks ${wins.nested}; draws ${wins.draws}.`,
          columns,
        )),
    ...(programs < 2 || texts.length === 0
      ? []
      : wrapWords(`Geometric mean of ${programs} programs: ${texts.join(", ")}.`, columns)),
  ];
}

function noteLines(notes: Footnotes, { columns }: TableOptions): string[] {
  return notes.lines.flatMap((line) => wrapWords(line, columns));
}

function plain(text: string): GridCell {
  return { text, style: "plain" };
}
