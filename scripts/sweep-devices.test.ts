/** A sweep that asks for devices: whoever runs all of its points has a table of them beside the others. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { afterAll, expect, test } from "vitest";
import { dmaSchemeNames } from "../host/dma/catalogue.ts";
import type { DmaRow } from "../host/dma/run-dma.ts";
import { runCommand } from "./run-command.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-devices-"));
afterAll(() => rmSync(folder, { recursive: true }));

const points = `title: t
engines: [native, ept]
presets: [textbook]
seeds: [1]
workloads: [{ workload: uniform, params: [{ pages: 8, accesses: 10 }] }]
`;

function sweep(name: string, devices: string): string {
  const path = join(folder, name);
  writeFileSync(path, `${points}devices: ${devices}\n`);
  return path;
}

// Seen failing: devices written for a part of the points too; a scheme left out.
test("all points write a row for each scheme, some points none", async () => {
  const file = sweep("small.yaml", "small");
  const all = join(folder, "all");
  const { status, stdout } = await runCommand(["bench", file, "--out", all, "--workers", "1"]);
  expect(status).toBe(0);
  expect(stdout).toContain("devices.csv");
  const rows: DmaRow[] = parse(readFileSync(join(all, "devices.csv")), {
    columns: true,
    cast: true,
  });
  expect(rows.map(({ scheme }) => scheme)).toEqual(dmaSchemeNames);
  // One driver under all of them.
  expect(new Set(rows.map(({ maps, pagesMapped }) => `${maps} ${pagesMapped}`)).size).toBe(1);
  const some = join(folder, "some");
  const options = ["--out", some, "--workers", "1", "--engines", "ept"];
  expect((await runCommand(["bench", file, ...options])).status).toBe(0);
  expect(existsSync(join(some, "devices.csv"))).toBe(false);
});

test("a size that does not exist is refused with one line", async () => {
  const { status, stderr } = await runCommand(["bench", sweep("large.yaml", "large")]);
  expect(status).toBe(2);
  expect(stderr).toContain("large.yaml:6: devices");
});
