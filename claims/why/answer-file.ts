/**
 * `answer.json`: the findings of a topic as data, for programs to read; the report's page is made from it.
 *
 * Sentences stay lists of words and unrounded numbers. JSON knows no NaN, the number of what there was none of:
 * it is written as null.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { WrittenAnswer } from "../../bench/results/answer.ts";
import { assertUnchanged } from "../../bench/files/checksums.ts";
import { ConfigError, quote } from "../../bench/input/config-error.ts";
import { readTextFile } from "../../bench/input/text-file.ts";
import { parseYamlFile } from "../../bench/input/yaml-file.ts";
import { topicFolder, topics } from "./index.ts";
import type { NamedFinding } from "./run-why.ts";

export const answerFile = "answer.json";
export const answerTextFile = "answer.md";

const sentence = z.array(
  z.union([z.string(), z.number(), z.null().transform(() => Number.NaN)], {
    error: "must be text, a number or null",
  }),
);
const answerSchema: z.ZodType<WrittenAnswer> = z.strictObject({
  title: z.string(),
  findings: z.array(
    z.strictObject({
      name: z.string(),
      title: z.string(),
      claim: sentence,
      number: sentence,
      evidence: sentence,
      change: sentence,
      checks: z.array(z.strictObject({ direction: z.string(), holds: z.boolean() })),
      tables: z.array(z.string()),
      figures: z.array(z.string()),
    }),
  ),
});

/** What is written of findings, as data and as text: all but the contents of tables and figures. */
export function writtenAnswer(title: string, findings: readonly NamedFinding[]): WrittenAnswer {
  return {
    title,
    findings: findings.map((finding) => ({
      name: finding.name,
      title: finding.title,
      claim: finding.claim,
      number: finding.number,
      evidence: finding.evidence,
      change: finding.change,
      checks: finding.checks.map(({ direction, holds }) => ({ direction, holds })),
      tables: finding.tables.map(({ name }) => tableFile(name)),
      figures: finding.figures.map(({ name }) => name),
    })),
  };
}

/** The same findings give the same bytes. */
export function answerJson(answer: WrittenAnswer): string {
  return `${JSON.stringify(answer, null, 2)}\n`;
}

/** The file of a finding's table, beside the answer. */
export function tableFile(name: string): string {
  return `${name}.csv`;
}

/** The answer in a folder that `why` wrote; null where it wrote none. Throws a `ConfigError` on another's file. */
export function readAnswer(folder: string): WrittenAnswer | null {
  const path = join(folder, answerFile);
  if (!existsSync(path)) {
    if (!existsSync(join(folder, answerTextFile))) return null;
    throw new ConfigError(
      `${folder}: has ${answerTextFile} but no ${answerFile}, as older versions wrote it: ` +
        `\`${commandFor(folder)}\` writes both`,
    );
  }
  const text = readTextFile("answer", path);
  assertUnchanged(path);
  if (!isJson(text)) throw new ConfigError(`${path}: is no JSON: make it anew`);
  // JSON is YAML too, and that reader's complaints name the line.
  return parseYamlFile(text, path, answerSchema).value;
}

/** What fills a folder anew: the heading of its text tells the topic. */
function commandFor(folder: string): string {
  const text = readTextFile("answer", join(folder, answerTextFile));
  const known = Object.entries(topics).find(([, { title }]) => text.startsWith(`# ${title}\n`));
  const topic = known?.[0] ?? "TOPIC";
  const out = join(topicFolder(topic)) === join(folder) ? "" : ` --out ${quote(folder)}`;
  return `npx shadewalk why --topic ${topic}${out}`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
