/**
 * The library as its page shows it: every example runs, and numbers are those of the command line.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import * as library from "./library.ts";
import { runCommand } from "./run-command.ts";

const repository = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "shadewalk-library-"));
afterAll(() => rmSync(folder, { recursive: true }));

const page = readFileSync(join(repository, "docs/library.md"), "utf8");
const examples = [...page.matchAll(/## ([^\n]+)\n\n```js\n([\s\S]*?)```/g)].map(
  ([, title = "", code = ""]) => [title, code] as const,
);

const said: Readonly<Record<string, RegExp>> = {
  "How much slower is a program under each scheme?":
    /^shadow \d+\.\d\d \d+ exits\nept 1\.\d\d \d+ exits\n$/,
  "What can be named?": /pages: \d+[\s\S]*'skylake-sp'/,
  "The same counts at other prices": /^\d{4,}\n$/,
  "A walk": /^24 references to 0x[0-9a-f]+\n$/,
  "Results of a sweep": /^false\n\d+\n$/,
};

test("every example of the page is known here", () => {
  expect(examples.map(([title]) => title)).toEqual(Object.keys(said));
});

test.each(examples)("the example of “%s” runs", (title, code) => {
  const file = join(folder, "example.mjs");
  const source = pathToFileURL(join(repository, "scripts/library.ts")).href;
  writeFileSync(file, code.replaceAll('"shadewalk"', JSON.stringify(source)));
  const { stdout, stderr, status } = spawnSync(process.execPath, [file], {
    cwd: repository,
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(said[title] ?? /^never$/);
});

// Seen failing: with the library's default preset another than the command's.
test("a point has the counters and cycles of the command line", async () => {
  const point = library.runPoint({
    engine: "shadow-lazy",
    workload: "forkwait",
    params: { forks: 3, pages: 16 },
    check: true,
  });
  const words = ["run", "-e", "shadow-lazy", "-w", "forkwait", "-p", "forks=3", "pages=16"];
  const { stdout } = await runCommand([...words, "--check", "--json"]);
  const { sections } = JSON.parse(stdout) as {
    sections: { ledger: object; cyclesTotal: number; cycles: object }[];
  };
  expect(point.setup).toEqual(sections[0]?.ledger);
  expect(point.counters).toEqual(sections[1]?.ledger);
  expect(point.cycles).toEqual(sections[1]?.cycles);
  expect(point.cyclesTotal).toBe(sections[1]?.cyclesTotal);
  expect(point.checked).toBeGreaterThan(0);
  expect(library.price(point, "skylake-sp").cyclesTotal).toBe(point.cyclesTotal);
});

test("what cannot be is one line that says what is allowed", () => {
  const run = (request: object) => () =>
    library.runPoint({ engine: "ept", workload: "uniform", ...request });
  expect(run({ engine: "epx" })).toThrow(library.ConfigError);
  expect(run({ engine: "epx" })).toThrow(/^engine "epx": unknown\. Did you mean ept\? Allowed: /);
  expect(run({ params: { page: 1 } })).toThrow(/page: unknown/);
  expect(run({ workload: "nothing" })).toThrow(/^workload "nothing": unknown/);
});
