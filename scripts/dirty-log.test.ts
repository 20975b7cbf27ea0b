/**
 * `shadewalk dirty-log` as a person meets it: the table, the CSV and the JSON of one run say the same.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { afterAll, expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

const folder = await mkdtemp(join(tmpdir(), "shadewalk-dirty-log-"));
afterAll(() => rm(folder, { recursive: true }));

const letters = ["-b", "1M", "-v", "2", "-x", "2", "-w", "100", "-i", "3", "-s", "anonymous_thp"];

interface Phase {
  readonly name: string;
  readonly iteration: number | null;
  readonly pagesReported: number;
  readonly ledger: Readonly<Record<string, number>>;
}

test("one command line prints the phases of the kernel's test, and the same numbers as CSV and JSON", async () => {
  const csv = join(folder, "phases.csv");
  const command = ["dirty-log", ...letters, "-g", "--engine", "ept-wp", "--check"];
  const text = await runCommand([...command, "--csv", csv, "--gigahertz", "2"]);
  expect(text).toMatchObject({ status: 0, stderr: "" });
  const names = ["populate", "enable", "dirty", "get", "dirty", "get", "dirty", "get", "disable"];
  const printed = text.stdout.split("\n").slice(-names.length - 1);
  expect(printed.flatMap((line) => /^[a-z]+/.exec(line)?.[0] ?? [])).toEqual(names);
  // 2 vCPUs write 256 pages each: 512 exits a round.
  expect(printed[2]).toMatch(/^dirty 1 +512 +\. +512 +512 /);

  const { stdout } = await runCommand([...command, "--json"]);
  const phases = JSON.parse(stdout) as Phase[];
  expect(phases.map(({ name }) => name)).toEqual(names);
  const rows = parse<Record<string, string>>(await readFile(csv), { columns: true });
  expect(rows.map(({ exits }) => exits)).toEqual(phases.map(({ ledger }) => `${ledger["exits"]}`));
  expect(rows.map(({ pagesReported }) => pagesReported)).toEqual(
    phases.map((phase) => `${phase.pagesReported}`),
  );
});

test("manual protect is on unless -g: a clear follows each get, and the first round is free", async () => {
  const { stdout } = await runCommand(["dirty-log", ...letters, "--engine", "ept-wp", "--json"]);
  const phases = JSON.parse(stdout) as Phase[];
  const dirty = phases.filter(({ name }) => name === "dirty");
  expect(dirty.map(({ ledger }) => ledger["exits"])).toEqual([0, 512, 512]);
  expect(phases.filter(({ name }) => name === "clear")).toHaveLength(3);
});
