import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { catalogue } from "../../bench/points/catalogue.ts";
import { migrationTables, writeMigrations } from "./migration-files.ts";
import { parseMigrationSweep } from "./migration-sweep.ts";
import { runMigrations } from "./run-migrations.ts";

const sweep = `
title: four small migrations
engines: [ept-pml, shadow-wp]
presets: [skylake-sp]
seeds: [1]
workloads:
  - workload: hot-write
    params: [{ pages: 500, accesses: 5000, logRounds: 2 }]
migrations:
  - { bandwidth: 40Gbit, downtime: 0.1ms, bandwidthWindow: 0ms }
  - { bandwidth: 40Gbit, mode: postcopy, postcopyAfter: 1 }
`;

/** The files that a sweep leaves, as text. */
async function filesOf(workers: number): Promise<string[]> {
  const { points, machines } = parseMigrationSweep(sweep, "s.yaml", catalogue);
  const folder = mkdtempSync(join(tmpdir(), "migrations-"));
  const finished: number[] = [];
  const results = await runMigrations({
    points,
    machines,
    workers,
    check: false,
    signal: new AbortController().signal,
    onFinished: ({ key }) => finished.push(key.id),
  });
  expect(finished.toSorted((a, b) => a - b)).toEqual(points.map(({ id }) => id));
  await writeMigrations({ folder, results, config: {}, inputs: [] });
  return migrationTables.map((name) => readFileSync(join(folder, name), "utf8"));
}

test("a sweep of migrations leaves the same bytes whatever the number of workers", async () => {
  const [migrations = "", rounds = "", manifest = ""] = await filesOf(1);
  expect(await filesOf(2)).toEqual([migrations, rounds, manifest]);
  expect(migrations.trim().split("\n")).toHaveLength(5);
  expect(rounds.split("\n")[0]).toContain("pagesDirtied");
  expect(migrations).toMatch(/,moved,/);
}, 60_000);
