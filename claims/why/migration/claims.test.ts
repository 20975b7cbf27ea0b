import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { MigrationResult } from "../../../bench/results/result.ts";
import type { NamedFinding } from "../run-why.ts";
import { migration } from "../topics/migration.ts";
import { migrationFindings } from "./experiment.ts";
import { runMigrationTopic } from "./run-migration-topic.ts";

const { migrations } = migration;
const names = Object.keys(migrations) as (keyof typeof migrations)[];

describe("the answer about migrations", () => {
  let findings: readonly NamedFinding[] = [];
  const results: MigrationResult[] = [];
  const out = mkdtempSync(join(tmpdir(), "why-migration-"));
  beforeAll(async () => {
    const why = await runMigrationTopic({
      experiments: migrations,
      out,
      workers: 2,
      signal: new AbortController().signal,
      onFinished: (result) => results.push(result),
    });
    findings = why.findings;
  }, 300_000);

  it.each(names)("%s: every direction of its claim holds", (name) => {
    const found = findings.find((finding) => finding.name === name);
    expect(found?.checks.length).toBeGreaterThan(1);
    expect(found?.checks.filter(({ holds }) => !holds)).toEqual([]);
  });

  // Planted: a world in which every engine is what another was. Claims must follow from the data.
  it.each([
    ["dirty-rates", "ept-wp", "ept-pml"],
    ["pml-or-protection", "ept-wp", "ept-pml"],
    ["scan-or-log", "ept-ad", "ept-pml"],
    ["ring-or-bitmap", "ept-ring", "ept-pml"],
    ["convergence", "ept-wp", "ept-pml"],
  ] as const)("%s is given up when %s and %s change places", (name, one, other) => {
    const places: Readonly<Record<string, string>> = { [one]: other, [other]: one };
    const swapped = results.map((result) => {
      const { engine } = result.key;
      return { ...result, key: { ...result.key, engine: places[engine] ?? engine } };
    });
    // A migration that only one of them was asked for keeps its place.
    const all = migrationFindings([...results, ...swapped]);
    const { checks } = migrations[name].read(all);
    expect(checks.some(({ holds }) => !holds)).toBe(true);
  });

  it("says nothing in numbers that its run did not count", () => {
    for (const { claim, number } of findings) {
      const words = [...claim, ...number].filter((part) => typeof part === "string").join(" ");
      const fixed = words.replaceAll(/2 MiB|4 KiB|4 to 5%|40 Gbit\/s|0\.5 ms|4096|ept-\w+/g, "");
      expect(fixed).not.toMatch(/\d/);
    }
  });

  it("writes every migration and every round that it rests on", () => {
    const lines = (name: string) => readFileSync(join(out, name), "utf8").trim().split("\n").length;
    expect(lines("migration.csv")).toBe(results.length + 1);
    const rounds = results.reduce((sum, result) => sum + result.rounds.length, 0);
    expect(lines("rounds.csv")).toBe(rounds + 1);
  });
});
