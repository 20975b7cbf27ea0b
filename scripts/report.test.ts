/**
 * `shadewalk report` as a person runs it, over the committed reference result.
 */
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readPoints } from "../bench/files/read-results.ts";
import { pointsCsv } from "../report/page/browser/points-csv.ts";
import { madeUpAnswer } from "../report/page/made-up-answer.ts";
import { runCommand } from "./run-command.ts";

const reference = join(import.meta.dirname, "../results/reference");
const folder = await mkdtemp(join(tmpdir(), "shadewalk-report-"));
afterAll(() => rm(folder, { recursive: true }));

test("it writes one file under 3 MB and says where the answer would come from", async () => {
  const out = join(folder, "page.html");
  const { status, stdout, stderr } = await runCommand([
    "report",
    reference,
    "--out",
    out,
    "--why",
    join(folder, "none"),
  ]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/page\.html: \d\.\d MB\n$/);
  const text = await readFile(out, "utf8");
  expect(Buffer.byteLength(text)).toBeLessThan(3_000_000);
  expect(text).toContain("npm run why");
});

test("an answer in the folder comes first in the page", async () => {
  const out = join(folder, "answered.html");
  const answer = madeUpAnswer("Why", [{ title: "First?", claim: ["Because of exits."] }]);
  await writeFile(join(folder, "answer.json"), JSON.stringify(answer));
  const { status } = await runCommand(["report", reference, "--out", out, "--why", folder]);
  expect(status).toBe(0);
  const text = await readFile(out, "utf8");
  expect(text.indexOf("<strong>Because of exits.")).toBeGreaterThan(0);
  expect(text.indexOf("<strong>Because of exits.")).toBeLessThan(text.indexOf('id="charts"'));
});

test("answers of several topics are numbered through, each with its own figures", async () => {
  const out = join(folder, "topics.html");
  const more = await mkdtemp(join(folder, "more-"));
  const answer = madeUpAnswer("More", [{ title: "Second?", figures: ["cycles"] }]);
  await mkdir(join(more, "charts"));
  await writeFile(join(more, "charts/cycles.vl.json"), '{"title":"of the second"}');
  await writeFile(join(more, "answer.json"), JSON.stringify(answer));
  const { status } = await runCommand(["report", reference, "-o", out, "--why", folder, more]);
  expect(status).toBe(0);
  const text = await readFile(out, "utf8");
  expect(text).toMatch(
    /id="answer-1">[^]*>1\.<[^]*>First\?<[^]*id="answer-2">[^]*>2\.<[^]*>Second\?</,
  );
  expect(text).toContain('data-figure="cycles (2)"');
});

test("a folder without results is a mistake in one line", async () => {
  const { status, stderr } = await runCommand(["report", join(folder, "nothing")]);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^shadewalk: results ".*nothing": no points\.csv; .*\n$/);
});

test("the CSV that the page saves is points.csv, byte for byte", async () => {
  const file = join(reference, "points.csv");
  expect(pointsCsv(await readPoints(file))).toBe(await readFile(file, "utf8"));
});

// Seen failing: the JSON files ended in a stack trace, or in a page as if nothing were wrong.
test.each([
  ["manifest.json", "{", "is no JSON object"],
  ["host.json", "[1]", "is no JSON object"],
  ["points.csv", "\0\0\0\n", "column id is missing"],
  ["walks.csv", "", "no lines of results"],
  ["checksums.sha256", "hello\n", "is no checksum and file name"],
])("a damaged %s is a mistake in one line", async (name, content, problem) => {
  const results = await mkdtemp(join(folder, "damaged-"));
  await cp(reference, results, { recursive: true });
  await writeFile(join(results, name), content);
  const { status, stdout, stderr } = await runCommand(["report", results, "--why", folder]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(/^shadewalk: [^\n]*\n$/);
  expect(stderr).toContain(join(results, name));
  expect(stderr).toContain(problem);
});

test("an answer of an older version is a mistake in one line, and no page is written", async () => {
  const why = await mkdtemp(join(folder, "older-"));
  await writeFile(join(why, "answer.md"), "# Why\n");
  const out = join(folder, "older.html");
  const { status, stderr } = await runCommand(["report", reference, "-o", out, "--why", why]);
  expect(status).toBe(2);
  expect(stderr).toMatch(
    /^shadewalk: \S+: has answer\.md but no answer\.json, [^\n]*npx shadewalk why [^\n]*\n$/,
  );
  expect(existsSync(out)).toBe(false);
});

test("an answer or a figure that was changed is a mistake in one line", async () => {
  const why = await mkdtemp(join(folder, "why-"));
  await mkdir(join(why, "charts"));
  await writeFile(join(why, "answer.json"), JSON.stringify(madeUpAnswer("Why", [{}])));
  await writeFile(join(why, "charts/cycles.vl.json"), "null");
  const words = ["report", reference, "-o", join(folder, "no.html"), "--why", why];
  const figure = await runCommand(words);
  expect(figure.status).toBe(2);
  expect(figure.stderr).toMatch(
    /^shadewalk: \S+cycles\.vl\.json: is no JSON object: make it anew\n$/,
  );
  await writeFile(join(why, "checksums.sha256"), `${"0".repeat(64)}  answer.json\n`);
  const answer = await runCommand(words);
  expect(answer.status).toBe(2);
  expect(answer.stderr).toMatch(/^shadewalk: \S+answer\.json: was changed since it was written: /);
});
