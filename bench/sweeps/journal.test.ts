import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ConfigError } from "../input/config-error.ts";
import { openJournal } from "./journal.ts";
import { madeUpResult } from "../results/made-up-results.ts";
import type { Finished } from "./pool.ts";

const sweep = "5".repeat(64);
const finished = [0, 1, 2, 3].map((id): Finished => ({
  result: madeUpResult({ id, seed: id }, id + 1),
  checked: 0,
  host: { hostMilliseconds: 1.25, processorMilliseconds: 1 },
}));
const points = finished.map(({ result }) => result.key);

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "shadewalk-journal-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

function open(out: string, resume: boolean) {
  return openJournal({ folder: out, sweep, points, resume, goOn: "go on with --resume" });
}

/** A folder with the journal of a run that was killed after three points of four. */
function killed() {
  const out = folder();
  const journal = open(out, false);
  for (const one of finished.slice(0, 3)) journal.append(one);
  journal.close("keep");
  return { out, path: join(out, "journal.jsonl") };
}

test("what was appended is read back as it was", () => {
  expect(open(killed().out, true).earlier).toEqual(finished.slice(0, 3));
});

// What a kill or a crash of the host leaves: the last line is not whole, or a block of zeros follows.
test.each<[string, (text: string) => string, number]>([
  ["half of the last line", (text) => text.slice(0, -40), 2],
  ["the last line without its newline", (text) => text.slice(0, -1), 2],
  ["zeros behind the last line", (text) => `${text}${"\0".repeat(4096)}`, 3],
  ["zeros in place of a line", (text) => text.replace(/\n[^\n]*\n$/, "\n\0\0\0\n"), 2],
  ["half of the header", (text) => text.slice(0, 20), 0],
  ["nothing", () => "", 0],
  ["nothing but zeros", () => "\0".repeat(512), 0],
])("%s is normal: the points that are whole are kept", (_, spoil, kept) => {
  const { out, path } = killed();
  writeFileSync(path, spoil(readFileSync(path, "utf8")));
  expect(open(out, true).earlier).toEqual(finished.slice(0, kept));
});

/** A line whose checksum is right, whatever it says. */
function forged(point: string, owner = sweep): string {
  const checksum = createHash("sha256").update(`${owner}\n${point}`).digest("hex").slice(0, 32);
  return `{"checksum":"${checksum}","point":${point}}`;
}

const second = /(?<=^[^\n]*\n[^\n]*\n)[^\n]*/;
const foreign = JSON.stringify({ ...finished[1], result: madeUpResult({ id: 1, seed: 9 }) });

// Seen failing on a journal of plain JSON lines: the first two made wrong tables, exit code 0; `{}` printed a
// stack trace.
test.each<[string, (text: string) => string, string]>([
  [
    "a repeated line",
    (text) => text + (text.split("\n")[2] ?? "") + "\n",
    ":5: holds point 1 again, after line 3",
  ],
  [
    "a changed count",
    (text) => text.replace(second, (line) => line.replace('"accesses":2,', '"accesses":3,')),
    ":3: was changed: its checksum does not match",
  ],
  [
    "a blank more",
    (text) => text.replace(second, (line) => line.replace('"label":"', '"label":" ')),
    ":3: was changed: its checksum does not match",
  ],
  ["an empty object", (text) => text.replace(second, "{}"), ":3: is no finished point"],
  ["an empty line", (text) => text.replace(second, ""), ":3: is no finished point"],
  ["a line of words", (text) => text.replace(second, "hello"), ":3: is no finished point"],
  [
    "a line cut in the middle",
    (text) => text.replace(second, (line) => line.slice(0, 99)),
    ":3: is",
  ],
  ["a forged {}", (text) => text.replace(second, forged("{}")), ":3: is no finished point"],
  ["a forged null", (text) => text.replace(second, forged("null")), ":3: is no finished point"],
  ["a forged text", (text) => text.replace(second, forged("{{")), ":3: is no finished point"],
  [
    "a point that is none of the sweep's",
    (text) => text.replace(second, forged(foreign)),
    ":3: holds point 1, which does not belong there",
  ],
  [
    "a line of another sweep",
    (text) => text.replace(second, forged(JSON.stringify(finished[1]), "6".repeat(64))),
    ":3: was changed: its checksum does not match",
  ],
  ["another header", (text) => text.replace("5555", "6666"), ":1: is the journal of another sweep"],
  ["a header of something else", (text) => `{}\n${text}`, ":1: is no header of a journal"],
])("%s is refused in one line that names file and line", (_, spoil, problem) => {
  const { out, path } = killed();
  const spoilt = spoil(readFileSync(path, "utf8"));
  writeFileSync(path, spoilt);
  const attempt = () => open(out, true);
  expect(attempt).toThrow(ConfigError);
  expect(attempt).toThrow(path + problem);
  expect(attempt).toThrow(/: remove the file, or run without --resume$/);
  // Nothing was lost by looking.
  expect(readFileSync(path, "utf8")).toBe(spoilt);
  expect(readdirSync(out)).toEqual(["journal.jsonl"]);
});
