import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { devices } from "../topics/devices.ts";
import type { DomainPlan, DomainRow } from "../../../host/dma/run-domains.ts";
import { domainRows, readDomainRows } from "./merged-domains.ts";
import {
  type DmaPoint,
  dmaFindings,
  dmaIdentity,
  type DmaResult,
  runDmaPoints,
} from "./experiment.ts";
import { runDevicesTopic } from "./run-devices-topic.ts";

const experiments = devices.devices;
const names = Object.keys(experiments) as (keyof typeof experiments)[];
const out = mkdtempSync(join(tmpdir(), "why-devices-"));
afterAll(() => rmSync(out, { recursive: true }));

describe("the answer about devices", () => {
  let results: readonly DmaResult[] = [];
  let merged: readonly DomainRow[] = [];
  beforeAll(() => {
    merged = domainRows();
    results = runDmaPoints(Object.values(experiments));
  });

  it.each(names)("%s: every direction of its claim holds", (name) => {
    const { checks } = experiments[name].read(dmaFindings(results));
    expect(checks.length).toBeGreaterThan(1);
    expect(checks.filter(({ holds }) => !holds)).toEqual([]);
  });

  // Planted: a world in which one scheme is what another was. Claims must follow from the data.
  it.each([
    ["shadow-or-nested", "shadow-cm", "nested"],
    ["protection-or-caching-mode", "shadow-cm", "shadow-wp"],
    ["price-of-strict", "nested", "optimistic"],
    ["pinned-over-time", "shadow-cm", "coiommu"],
    ["pinned-over-time", "nested", "shadow-pri"],
    ["every-scheme", "nested", "optimistic"],
    ["every-scheme", "coiommu", "pinned"],
  ] as const)("%s is given up when %s and %s change places", (name, one, other) => {
    const places: Readonly<Record<string, DmaPoint["scheme"]>> = { [one]: other, [other]: one };
    const { of, pinnedOf } = dmaFindings(results);
    const inPlaceOf = (point: DmaPoint) => {
      return { ...point, scheme: places[point.scheme] ?? point.scheme };
    };
    const swapped = {
      of: (point: DmaPoint) => of(inPlaceOf(point)),
      pinnedOf: (point: DmaPoint) => pinnedOf(inPlaceOf(point)),
    };
    expect(experiments[name].read(swapped).checks.some(({ holds }) => !holds)).toBe(true);
  });

  it("large-pages is given up when small and large pages change places", () => {
    const { of, pinnedOf } = dmaFindings(results);
    const swapped = {
      pinnedOf,
      of: (point: DmaPoint) =>
        of({ ...point, params: { pageSize: point.params?.["pageSize"] === "4k" ? "2m" : "4k" } }),
    };
    const { checks } = experiments["large-pages"].read(swapped);
    expect(checks.every(({ holds }) => !holds)).toBe(true);
  });

  // Planted: rows that say what another plan's do.
  it.each([
    ["one domain does what two did", { merged: "apart", apart: "merged" }],
    ["the rule and two domains change places", { counted: "apart", apart: "counted" }],
  ] as const)(
    "merged-domains is given up when %s",
    (_what, places: Readonly<Record<string, DomainPlan>>) => {
      const rows = merged.map((row) => ({ ...row, plan: places[row.plan] ?? row.plan }));
      expect(readDomainRows(rows).checks.some(({ holds }) => !holds)).toBe(true);
    },
  );

  it("says nothing in numbers that its run did not count", () => {
    for (const name of names) {
      const { claim, number } = experiments[name].read(dmaFindings(results));
      const words = [...claim, ...number].filter((part) => typeof part === "string").join(" ");
      expect(words).not.toMatch(/\d/);
    }
  });

  it("writes every run that it rests on, each once", async () => {
    const only = { "price-of-strict": experiments["price-of-strict"] };
    const { files } = await runDevicesTopic(only, out);
    expect(files).toEqual(["devices.csv"]);
    const lines = readFileSync(join(out, "devices.csv"), "utf8").trim().split("\n");
    const wanted = new Set(only["price-of-strict"].points.map(dmaIdentity));
    expect(lines.length).toBe(wanted.size + 1);
  });
});
