/**
 * The files of an answer beside its rows: a CSV per table, the findings as data, and the text.
 */
import { writeFile } from "node:fs/promises";
import { stringify } from "csv-stringify/sync";
import type { Table, WrittenAnswer } from "../../bench/results/answer.ts";
import { replaceFiles } from "../../bench/files/result-files.ts";
import { answerFile, answerJson, answerTextFile, tableFile } from "./answer-file.ts";

export interface AnswerToWrite {
  readonly answer: WrittenAnswer;
  readonly markdown: string;
  readonly tables: readonly Table[];
}

/** Writes below `folder`; returns the names of the files. */
export async function writeAnswer(
  folder: string,
  { answer, markdown, tables }: AnswerToWrite,
): Promise<string[]> {
  const files = Object.fromEntries([
    [answerTextFile, markdown],
    [answerFile, answerJson(answer)],
    ...tables.map(({ name, rows }) => [tableFile(name), stringify([...rows], { header: true })]),
  ]) as Record<string, string>;
  const writers = Object.entries(files).map(
    ([name, text]) => [name, (path: string) => writeFile(path, text)] as const,
  );
  await replaceFiles(folder, Object.fromEntries(writers), { sums: "all" });
  return Object.keys(files);
}
