/**
 * `shadewalk fuzz` as a person meets it: what it says of seeds, speed and time, and what it refuses.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { execute } from "./program.ts";
import { runCommand } from "./run-command.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true }));
const small = ["--engines", "native,ept", "--out", join(folder, "failure.trace")];

test("a run names its seed at once and tells its speed in what it counts", async () => {
  const args = ["fuzz", "--seed", "7", "--ops", "1500", ...small];
  const { status, stdout, stderr } = await runCommand(args);
  expect(status).toBe(0);
  expect(stderr).toMatch(/^seed 7\n/);
  // Seen failing: "0.0 M accesses/s", and time "left" when all was over.
  expect(stderr).toMatch(/\n15\d\d\/1500 ops, [1-9]\d* ops\/s, \d+ s in all\n$/);
  expect(stdout).toMatch(/^seed 7: 1 programs, 15\d\d ops, \d+ accesses checked\n$/);
});

test("a long run draws its seeds anew, prints them, and repeats them when asked", async () => {
  const args = ["fuzz", "--seeds", "3", "--ops", "300", "--workers", "2", "--quiet", ...small];
  const { status, stdout, stderr } = await runCommand(args);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const from = /^3 seeds from --seed (\d+), 300 ops each, on 2 workers\n/.exec(stdout)?.[1] ?? "";
  const line =
    /^seed \d+: 3\d\d ops, \d+ accesses checked; \d+ ops migrated, \d+ migrations: ok$/gm;
  const seeds = stdout.match(line) ?? [];
  expect(new Set(seeds).size).toBe(3);
  expect(stdout).toMatch(
    /\n3 seeds, \d+ ops, 6 programs, \d+ accesses checked, \d+ migrations: 0 f/,
  );
  expect(existsSync(join(folder, "failure.trace"))).toBe(false);
  const again = await runCommand([...args, "--seed", from]);
  expect(again.stdout.match(line)?.toSorted()).toEqual(seeds.toSorted());
  expect(again.stdout).not.toBe("");
  const other = await runCommand(args);
  expect(other.stdout.match(line)?.toSorted()).not.toEqual(seeds.toSorted());
});

// Each line: what is wrong, the options, the exit code, and what the one line on stderr must hold.
const mistakes: [string, string[], number, string[]][] = [
  ["workers without seeds", ["--workers", "2"], 2, ["--workers", "--seeds"]],
  ["no seeds", ["--seeds", "0"], 2, ['--seeds "0"', "from 1"]],
  ["two ways to migrate", ["--seeds", "2", "--migrations"], 2, ["--migrations", "--seeds"]],
  ["processors that are not used", ["--migrations", "--presets", "zen2"], 2, ["--presets"]],
  ["nobody to migrate", ["--migrations", "--engines", "native"], 2, ["no engine", "ept-pml"]],
  ["a folder that is a file", ["--out", "/dev/null/x.trace"], 1, ["/dev/null", "cannot be"]],
];

// Seen running for its whole time, or for ever, the option ignored.
test.each(mistakes)("refused in one line: %s", async (_, options, code, words) => {
  const failure = await execute(["fuzz", ...options, "--ops", "300"]);
  expect(failure?.text).toMatch(/^shadewalk: [^\n]+$/);
  for (const word of words) expect(failure?.text).toContain(word);
  expect(failure?.exitCode).toBe(code);
});
