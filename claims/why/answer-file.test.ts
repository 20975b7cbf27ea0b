/**
 * `answer.json` as it is written, read back, and refused.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { say } from "../../bench/results/answer.ts";
import { readChecksums, sha256 } from "../../bench/files/checksums.ts";
import { answerJson, readAnswer, writtenAnswer } from "./answer-file.ts";
import { topics } from "./index.ts";
import type { NamedFinding } from "./run-why.ts";
import { writeAnswer } from "./write-answer.ts";

const finding: NamedFinding = {
  name: "walks",
  title: "How long is a walk?",
  claim: say`A walk takes ${24} references.`,
  number: say`${1 / 3} against ${-0.5}; none is ${Number.NaN}`,
  evidence: ["walks.csv"],
  change: ["Caches."],
  checks: [{ direction: "longer", holds: true }],
  tables: [{ name: "walks", rows: [{ engine: "ept", references: 24 }] }],
  figures: [{ kind: "cycles", name: "cycles", ids: [1] }],
};
const answer = writtenAnswer("Why?", [finding]);

async function folderOf(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "shadewalk-answer-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

async function written(): Promise<string> {
  const folder = await folderOf();
  await writeAnswer(folder, { answer, markdown: "# Why?\n", tables: finding.tables });
  return folder;
}

test("an answer is read back as it was, unrounded; tables and figures are names", async () => {
  const folder = await written();
  expect(readAnswer(folder)).toEqual({
    title: "Why?",
    findings: [{ ...finding, tables: ["walks.csv"], figures: ["cycles"] }],
  });
});

test("it lies beside its text and tables, and the folder's checksums cover all three", async () => {
  const folder = await written();
  const sums = readChecksums(folder);
  expect([...sums.keys()]).toEqual(["answer.json", "answer.md", "walks.csv"]);
  expect(sums.get("answer.json")).toBe(sha256(await readFile(join(folder, "answer.json"))));
  expect(await readFile(join(folder, "answer.json"), "utf8")).toBe(
    await readFile(join(await written(), "answer.json"), "utf8"),
  );
});

test("one that was changed since is refused", async () => {
  const folder = await written();
  await writeFile(join(folder, "answer.json"), answerJson({ title: "Why not?", findings: [] }));
  expect(() => readAnswer(folder)).toThrow(/answer\.json: was changed since it was written: /);
});

// Seen failing: such a folder's Markdown was parsed, and became a page.
test("a folder of an older version is answered with how to make the file; an empty one has none", async () => {
  const folder = await folderOf();
  expect(readAnswer(folder)).toBeNull();
  const said = (command: string) =>
    `${folder}: has answer.md but no answer.json, as older versions wrote it: ` +
    `\`npx shadewalk why --topic ${command} --out "${folder}"\` writes both`;
  const file = join(folder, "answer.md");
  for (const [topic, { title }] of Object.entries(topics)) {
    await writeFile(file, `# ${title}\n\nEvery number\n`);
    expect(() => readAnswer(folder)).toThrow(said(topic));
  }
  await writeFile(file, "# Why?\n");
  expect(() => readAnswer(folder)).toThrow(said("TOPIC"));
});

test.each([
  ["", "is no JSON: make it anew"],
  ["title: Why?\nfindings: []\n", "is no JSON: make it anew"],
  ["[]", "1: must be a map of fields"],
  ['{\n"title": 7,\n"findings": []\n}', "2: title: 7: must be text"],
  ['{\n"title": "A",\n"findings": [],\n"more": 1\n}', "4: more: unknown field"],
  [
    answerJson(answer).replace("24", "true"),
    "9: findings[0].claim[1]: true: must be text, a number or null",
  ],
  [answerJson(answer).replace('"holds": true', '"holds": "yes"'), "must be true or false"],
])("a damaged file is refused by line and field: %j", async (text, complaint) => {
  const folder = await folderOf();
  const path = join(folder, "answer.json");
  await writeFile(path, text);
  expect(() => readAnswer(folder)).toThrow(`${path}:`);
  expect(() => readAnswer(folder)).toThrow(complaint);
});
