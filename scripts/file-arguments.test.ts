/**
 * Every option and argument that names a file to read, given what is none: one line, exit code 2.
 *
 * The list is held to the commands themselves: an option that speaks of a file or a folder is listed here or named
 * as one that writes.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { afterAll, describe, expect, test } from "vitest";
import { commands } from "./commands/index.ts";
import { execute } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-files-"));
afterAll(() => rmSync(folder, { recursive: true }));

const missing = join(folder, "nosuch");
const binary = join(folder, "binary");
// What stands in a terminal's way: C1 controls, ESC, NUL, no line end for 7 KB, no UTF-8.
const bytes = Uint8Array.from(
  { length: 7000 },
  (_, i) => [0x9b, 0x1b, 0, 0xc2, 0x9b, 0x41, 0xff][i % 7] ?? 0,
);
writeFileSync(
  binary,
  bytes.map((byte) => (byte === 0x0a ? 0x41 : byte)),
);
// The same as valid UTF-8, so that only the content is wrong.
const text = join(folder, "text");
writeFileSync(text, `a${"\u009b2J\u001b[1m\u202e".repeat(1500)}`);

/** Words before and after the path, by command and option. */
const readers: Readonly<Record<string, readonly string[]>> = {
  "bench [sweep]": ["bench", "FILE"],
  "bench --cost": ["bench", "quick", "--cost", "FILE"],
  "shard [sweep]": ["shard", "FILE", "--index", "0", "--of", "1", "--out", missing],
  "merge [sweep]": ["merge", "FILE", "--out", missing],
  "merge --cost": ["merge", "quick", "--out", missing, "--cost", "FILE"],
  "submit [sweep]": ["submit", "FILE", "--engine", "local", "--out", missing],
  "submit --cost": ["submit", "quick", "--engine", "local", "--out", missing, "--cost", "FILE"],
  "compare <before>": ["compare", "FILE", missing],
  "report [results]": ["report", "FILE"],
  "lab --grade": ["lab", "--grade", "FILE"],
  "run --trace": ["run", "--trace", "FILE"],
  "trace <file>": ["trace", "FILE"],
  "convert <file>": ["convert", "FILE"],
  "migrate --sweep": ["migrate", "--sweep", "FILE"],
  "price <points>": ["price", "FILE", "--cost", "zen2"],
  "price --cost": ["price", missing, "--cost", "FILE"],
  "cost --from-perf": ["cost", "--mhz", "2000", "--from-perf", "FILE"],
  "cost --debugfs": ["cost", "--mhz", "2000", "--from-perf", "FILE", "--debugfs", "FILE"],
  "cost --base": ["cost", "--mhz", "2000", "--from-perf", "FILE", "--base", "FILE"],
  "cost --perf-shape": ["cost", "--perf-shape", "FILE"],
  "speed --yardstick": ["speed", "--yardstick", "FILE"],
};

/** Options that name what is written. */
const writers = new Set(
  [
    "bench",
    "shard",
    "merge",
    "submit",
    "report",
    "migrate",
    "price",
    "cost",
    "fuzz",
    "why",
    "convert",
    "run",
  ]
    .map((name) => `${name} --out`)
    .concat("dirty-log --csv", "speed --json"),
);
/** Options whose files are read only where they are: a folder without an answer is a page without one. */
const optional = new Set(["report --why"]);

// Seen failing: `lab --grade`, listed nowhere, with the operating system's own words.
test("every option that names a file is tried below, or writes", () => {
  const named = (command: Command): string[] => [
    ...command.registeredArguments
      .filter(({ description }) => /\b(?:file|path|folder|\.csv|PT_WRITE)/.test(description))
      .map((one) => `${command.name()} ${one.required ? `<${one.name()}>` : `[${one.name()}]`}`),
    ...command.options
      .filter(
        ({ flags, description }) =>
          /<(?:file|folder|points)>/.test(flags) || /YAML file/.test(description),
      )
      .map(({ long }) => `${command.name()} ${long}`),
  ];
  const all = commands.flatMap(({ create }) => named(create() as unknown as Command));
  const known = new Set([...Object.keys(readers), ...writers, ...optional]);
  expect(all.filter((name) => !known.has(name))).toEqual([]);
  expect(all.length).toBeGreaterThan(20);
});

describe.each(Object.entries(readers))("%s", (_, words) => {
  // Seen failing: `ENOENT: no such file or directory, open ...` and `EISDIR: illegal operation on a directory, read`.
  test.each([
    ["a file that does not exist", missing],
    ["a folder", folder],
    ["bytes that are no text", binary],
    ["text that a terminal obeys", text],
  ])("refuses %s in one line", async (_kind, path) => {
    const failure = await execute(words.map((word) => (word === "FILE" ? path : word)));
    expect(failure?.exitCode).toBe(2);
    const said = failure?.text ?? "";
    expect(said).toMatch(/^shadewalk: [^\p{Cc}\p{Cf}]+$/u);
    expect(said).toContain(path.slice(0, 20));
    expect(said.length).toBeLessThan(500);
    expect(said).not.toMatch(/\bE[A-Z]{4,}:| at .*:\d+:\d+/);
  });
});
