/**
 * The files of an answer beside its rows: a CSV per table, and the text.
 */
import { writeFile } from "node:fs/promises";
import { stringify } from "csv-stringify/sync";
import { replaceFiles } from "../result-files.ts";
import type { NamedFinding } from "./run-why.ts";

/** Writes below `folder`; returns the names of the files. */
export async function writeAnswer(
  folder: string,
  findings: readonly NamedFinding[],
  markdown: string,
): Promise<string[]> {
  const tables = findings.flatMap((finding) => finding.tables);
  const files = Object.fromEntries([
    ["answer.md", markdown],
    ...tables.map(({ name, rows }) => [`${name}.csv`, stringify([...rows], { header: true })]),
  ]) as Record<string, string>;
  const writers = Object.entries(files).map(
    ([name, text]) => [name, (path: string) => writeFile(path, text)] as const,
  );
  await replaceFiles(folder, Object.fromEntries(writers), { sums: "all" });
  return Object.keys(files);
}
