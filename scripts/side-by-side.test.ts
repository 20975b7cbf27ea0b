import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { OneOutcome } from "../bench/points/run-one.ts";
import { runCommand } from "./run-command.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-beside-"));
afterAll(() => rmSync(folder, { recursive: true }));

const small = ["-w", "forkwait", "-p", "forks=3", "pages=16"];

test("run sets engines beside bare metal and says how much slower each is", async () => {
  const { status, stdout } = await runCommand(["run", "-e", "shadow,ept", ...small]);
  expect(status).toBe(0);
  const lines = stdout.trimEnd().split("\n");
  expect(lines.find((line) => line.startsWith("measured: count"))).toMatch(
    /measured: count +native +shadow +ept$/,
  );
  const total = lines
    .find((line) => line.startsWith("total"))
    ?.split(/\s+/)
    .slice(1)
    .map(Number);
  const [native = 0, shadow = 0, ept = 0] = total ?? [];
  expect(lines.at(-1)).toBe(
    `shadow ${(shadow / native).toFixed(2)}x native, ept ${(ept / native).toFixed(2)}x native`,
  );
  expect(shadow).toBeGreaterThan(ept);
});

// Seen failing: with a seed of its own for each column.
test("each column is the run that the engine has by itself", async () => {
  const beside = await runCommand(["run", "-e", "ept,shadow", ...small, "--json"]);
  const outcomes = JSON.parse(beside.stdout) as OneOutcome[];
  expect(outcomes.map(({ run }) => run.engine)).toEqual(["native", "ept", "shadow"]);
  const alone = await runCommand(["run", "--engine", "shadow", ...small, "--json"]);
  expect(outcomes[2]).toEqual(JSON.parse(alone.stdout));
});

test("walk and trace take several engines, one after the other", async () => {
  const walk = await runCommand(["walk", "0x400000", "-e", "native,ept"]);
  expect(walk.stdout.match(/^(?:native:|ept:|GVA .*references.*)$/gm)).toEqual([
    "native:",
    expect.stringContaining("4 references"),
    "ept:",
    expect.stringContaining("24 references"),
  ]);
  const json = await runCommand(["walk", "0x400000", "-e", "native,ept", "--json"]);
  const walks = JSON.parse(json.stdout) as { steps: unknown[] }[];
  expect(walks.map(({ steps }) => steps.length)).toEqual([4, 24]);
  const lesson = join(folder, "lesson.txt");
  writeFileSync(lesson, "PT_WRITE 0x1000->0x5000\nACCESS 0x1000\n");
  const trace = await runCommand(["trace", lesson, "-e", "shadow,ept"]);
  expect(trace.stdout.match(/^\w+:$|exits=\d+/gm)).toEqual([
    "shadow:",
    "exits=1",
    "ept:",
    "exits=0",
  ]);
});

test.each([
  [["run", "-e", "ept,shadow", "-t", "-"], "--trace -: standard input runs under one engine"],
  [["run", "-e", "ept,shadow", "--perf-shape"], "--perf-shape: takes one engine"],
  [["run", "-e", "ept", "--engine", "ept"], "--engine: is not used beside --engines"],
  [["trace", "-", "-e", "ept,shadow"], "-: standard input runs under one engine"],
  [["walk", "0x1000", "-e", "etp"], 'engine "etp": unknown. Did you mean ept?'],
  [["walk", "0x1000", "-e", "ept,shadw"], 'engine "shadw": unknown. Did you mean shadow?'],
])("%j is a mistake in one line", async (words, said) => {
  const { status, stderr } = await runCommand(words);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^shadewalk: [^\n]*\n$/);
  expect(stderr).toContain(said);
});

test("--version is that of the package, list --json has every name", async () => {
  const version = await runCommand(["--version"]);
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  const list = await runCommand(["list", "--json"]);
  const names = JSON.parse(list.stdout) as Record<string, object>;
  expect(Object.keys(names["engines"] ?? {})).toContain("shadow-lazy");
  expect(names["presets"]).toHaveProperty("skylake-sp");
});
