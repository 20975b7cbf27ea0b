/**
 * docs/linux-guests.md has what runs give now, by the smallest of its guests; `npm run docs:linux` writes all of it.
 *
 * Seen failing: prices of another processor; CR3 reads left out of an exit's reasons.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readResults } from "../bench/files/read-results.ts";
import { linuxTables, withTables } from "./linux-tables.ts";
import { runCommand } from "./run-command.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-linux-tables-"));
afterAll(() => rmSync(folder, { recursive: true }));

const sweep = `title: t
presets: [skylake-sp]
seeds: [1]
backing: [4k, 2m]
engines: [native, shadow, shadow-vtlb, shadow-lazy, ept, npt]
workloads: [{ workload: ["linux:syscall", "linux:syscall-kpti"] }]
`;

test("the document has the rows of a run", { timeout: 60_000 }, async () => {
  const page = readFileSync(join(import.meta.dirname, "../docs/linux-guests.md"), "utf8");
  writeFileSync(join(folder, "sweep.yaml"), sweep);
  const out = join(folder, "out");
  const args = ["bench", join(folder, "sweep.yaml"), "--out", out, "--quiet", "--workers", "1"];
  expect((await runCommand(args)).status).toBe(0);
  const { points } = await readResults(out);
  // Widths of columns follow the longest cell, so cells are what is compared.
  const cells = (line: string) =>
    line
      .split("|")
      .map((cell) => cell.trim())
      .join("|");
  const rows = page.split("\n").map(cells);
  for (const table of Object.values(linuxTables(points))) {
    const [, , ...lines] = table.split("\n");
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(rows).toContain(cells(line));
  }
});

test("a table goes to its place, and a place is there for each", () => {
  const text = "a\n\n<!-- one -->\n\n| old |\n| --- |\n\nb\n";
  expect(withTables(text, { one: "| new |" })).toBe("a\n\n<!-- one -->\n\n| new |\n\nb\n");
  expect(() => withTables(text, { two: "" })).toThrow("no place for two");
});
