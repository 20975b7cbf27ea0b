/**
 * What a page is made of, read from the folders that the other commands write.
 */
import { existsSync, globSync } from "node:fs";
import { basename, join } from "node:path";
import { parse } from "csv-parse/sync";
import type { TopLevelSpec } from "vega-lite";
import type { CostModel } from "../../bench/costs/cost.ts";
import type { ResultRows, WrittenAnswer } from "../../bench/results/result.ts";

export interface PageContent {
  readonly rows: ResultRows;
  /** What each workload is, in a few words. */
  readonly titles: Readonly<Record<string, string>>;
  /** Every cost file that ships, by its name: what the page prices with. */
  readonly costs: Readonly<Record<string, CostModel>>;
  /** `manifest.json` and `host.json` as they are; null where the folder has none. */
  readonly manifest: Readonly<Record<string, unknown>> | null;
  readonly host: Readonly<Record<string, unknown>> | null;
  /** The answers of `shadewalk why`, one topic after the other. */
  readonly why: Answers | null;
  /** Simulated against published. */
  readonly published: { readonly claims: readonly Claim[]; readonly figures: Figures } | null;
}

/** The names in `answers` are those of `figures` and `tables`: those of different topics may have had one name. */
export interface Answers {
  readonly answers: readonly WrittenAnswer[];
  readonly figures: Figures;
  /** By the names that the findings use. */
  readonly tables: Readonly<Record<string, AnswerTable>>;
}

/** Lines of cells as written, the header first. */
export type AnswerTable = readonly (readonly string[])[];

export type Figures = Readonly<Record<string, TopLevelSpec>>;

/** A line of `published.csv`, every cell as written. */
export type Claim = Readonly<Record<string, string>>;

export interface Folders {
  readonly results: string;
  /** One per topic; those without an answer are passed over. */
  readonly why: readonly string[];
  readonly published: string;
}

/** Reads files that commands wrote; throws what a user can be shown where one was damaged or changed. */
export interface FileReader {
  text(path: string): string;
  /** A JSON object. */
  json(path: string): Readonly<Record<string, unknown>>;
  /** The findings in a folder that \`why\` wrote; null where it wrote none. */
  answer(folder: string): WrittenAnswer | null;
}

export function readContent(
  { rows, costs, titles }: Pick<PageContent, "rows" | "costs" | "titles">,
  folders: Folders,
  read: FileReader,
): PageContent {
  const json = (path: string) => (existsSync(path) ? read.json(path) : null);
  return {
    rows,
    costs,
    titles,
    manifest: json(join(folders.results, "manifest.json")),
    host: json(join(folders.results, "host.json")),
    why: why(folders.why, read),
    published: published(folders.published, read),
  };
}

function why(folders: readonly string[], read: FileReader): Answers | null {
  const answered = folders.flatMap((folder) => {
    const answer = read.answer(folder);
    if (answer === null) return [];
    const names = answer.findings.flatMap((finding) => finding.tables);
    const figures = figuresIn(join(folder, "charts"), read);
    return [{ answer, figures, tables: tablesIn(folder, names, read) }];
  });
  if (answered.length === 0) return null;
  const parts = answered.map(({ answer, figures, tables }, index) => {
    const named = (name: string) => (index === 0 ? name : `${name} (${index + 1})`);
    const renamed = <T>(all: Readonly<Record<string, T>>) =>
      Object.fromEntries(Object.entries(all).map(([name, one]) => [named(name), one]));
    return {
      figures: renamed(figures),
      tables: renamed(tables),
      answer: {
        ...answer,
        findings: answer.findings.map((one) => ({
          ...one,
          figures: one.figures.map(named),
          tables: one.tables.map(named),
        })),
      },
    };
  });
  return {
    answers: parts.map(({ answer }) => answer),
    figures: Object.assign({}, ...parts.map(({ figures }) => figures)) as Figures,
    tables: Object.assign({}, ...parts.map(({ tables }) => tables)) as Answers["tables"],
  };
}

function tablesIn(folder: string, names: readonly string[], read: FileReader): Answers["tables"] {
  const written = names.flatMap((name): (readonly [string, AnswerTable])[] => {
    const file = join(folder, basename(name));
    if (!existsSync(file)) return [];
    const lines: string[][] = parse(read.text(file));
    return [[name, lines]];
  });
  return Object.fromEntries(written);
}

function published(folder: string, read: FileReader): PageContent["published"] {
  const file = join(folder, "published.csv");
  if (!existsSync(file)) return null;
  const claims: Claim[] = parse(read.text(file), { columns: true });
  return { claims, figures: figuresIn(folder, read) };
}

function figuresIn(folder: string, read: FileReader): Figures {
  const extension = ".vl.json";
  const files = globSync(`*${extension}`, { cwd: folder }).toSorted();
  const specs = files.map((file) => {
    const spec: unknown = read.json(join(folder, file));
    return [basename(file, extension), spec as TopLevelSpec] as const;
  });
  return Object.fromEntries(specs);
}
