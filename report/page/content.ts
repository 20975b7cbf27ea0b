/**
 * What a page is made of, read from the folders that the other commands write.
 */
import { existsSync, globSync } from "node:fs";
import { basename, join } from "node:path";
import { parse } from "csv-parse/sync";
import type { TopLevelSpec } from "vega-lite";
import type { ResultRows } from "../../bench/result.ts";

export interface PageContent {
  readonly rows: ResultRows;
  /** `manifest.json` and `host.json` as they are; null where the folder has none. */
  readonly manifest: Readonly<Record<string, unknown>> | null;
  readonly host: Readonly<Record<string, unknown>> | null;
  /** The answers of `shadewalk why`, one topic after the other. */
  readonly why: { readonly markdown: string; readonly figures: Figures } | null;
  /** Simulated against published. */
  readonly published: { readonly claims: readonly Claim[]; readonly figures: Figures } | null;
}

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
}

export function readContent(rows: ResultRows, folders: Folders, read: FileReader): PageContent {
  const json = (path: string) => (existsSync(path) ? read.json(path) : null);
  return {
    rows,
    manifest: json(join(folders.results, "manifest.json")),
    host: json(join(folders.results, "host.json")),
    why: why(folders.why, read),
    published: published(folders.published, read),
  };
}

function why(folders: readonly string[], read: FileReader): PageContent["why"] {
  const answered = folders.filter((folder) => existsSync(join(folder, "answer.md")));
  if (answered.length === 0) return null;
  const answers = answered.map((folder) => ({
    markdown: read.text(join(folder, "answer.md")),
    figures: figuresIn(join(folder, "charts"), read),
  }));
  return joinAnswers(answers);
}

/** Claims are numbered through, and figures of different topics may have one name. */
function joinAnswers(answers: readonly NonNullable<PageContent["why"]>[]) {
  let claims = 0;
  const parts = answers.map(({ markdown, figures }, index) => {
    const named = (name: string) => (index === 0 ? name : `${name} (${index + 1})`);
    const text = markdown
      .replaceAll(/^## \d+\. /gm, () => `## ${(claims += 1)}. `)
      .replaceAll(/^!\[([^\]]*)\]/gm, (_, name: string) => `![${named(name)}]`);
    const renamed = Object.entries(figures).map(([name, spec]) => [named(name), spec] as const);
    return { text, figures: Object.fromEntries(renamed) };
  });
  return {
    markdown: parts.map(({ text }) => text).join("\n\n"),
    figures: Object.assign({}, ...parts.map(({ figures }) => figures)) as Figures,
  };
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
