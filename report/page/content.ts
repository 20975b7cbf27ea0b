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
  /** The answer of `shadewalk why`. */
  readonly why: { readonly markdown: string; readonly figures: Figures } | null;
  /** Simulated against published. */
  readonly published: { readonly claims: readonly Claim[]; readonly figures: Figures } | null;
}

export type Figures = Readonly<Record<string, TopLevelSpec>>;

/** A line of `published.csv`, every cell as written. */
export type Claim = Readonly<Record<string, string>>;

export interface Folders {
  readonly results: string;
  readonly why: string;
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

async function why(folder: string): Promise<PageContent["why"]> {
  const file = join(folder, "answer.md");
  if (!existsSync(file)) return null;
  return {
    markdown: await readFile(file, "utf8"),
    figures: await figuresIn(join(folder, "charts")),
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
