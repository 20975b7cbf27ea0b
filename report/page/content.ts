/**
 * What a page is made of, read from the folders that the other commands write.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { globSync } from "node:fs";
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

export async function readContent(rows: ResultRows, folders: Folders): Promise<PageContent> {
  return {
    rows,
    manifest: await json(join(folders.results, "manifest.json")),
    host: await json(join(folders.results, "host.json")),
    why: await why(folders.why),
    published: await published(folders.published),
  };
}

async function why(folders: readonly string[]): Promise<PageContent["why"]> {
  const answered = folders.filter((folder) => existsSync(join(folder, "answer.md")));
  if (answered.length === 0) return null;
  const answers = answered.map(async (folder) => ({
    markdown: await readFile(join(folder, "answer.md"), "utf8"),
    figures: await figuresIn(join(folder, "charts")),
  }));
  return joinAnswers(await Promise.all(answers));
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

async function published(folder: string): Promise<PageContent["published"]> {
  const file = join(folder, "published.csv");
  if (!existsSync(file)) return null;
  const claims: Claim[] = parse(await readFile(file), { columns: true });
  return { claims, figures: await figuresIn(folder) };
}

async function figuresIn(folder: string): Promise<Figures> {
  const extension = ".vl.json";
  const files = globSync(`*${extension}`, { cwd: folder }).toSorted();
  const specs = files.map(async (file) => {
    const spec = JSON.parse(await readFile(join(folder, file), "utf8")) as TopLevelSpec;
    return [basename(file, extension), spec] as const;
  });
  return Object.fromEntries(await Promise.all(specs));
}

async function json(path: string): Promise<Readonly<Record<string, unknown>> | null> {
  if (!existsSync(path)) return null;
  return JSON.parse(await readFile(path, "utf8")) as Readonly<Record<string, unknown>>;
}
