import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { findEngine } from "../../engines/index.ts";
import { exitsPerOperation, operations } from "./operations-table.ts";
import { type NamedFinding, runWhy } from "./run-why.ts";
import { nested } from "./topics/nested.ts";

/** Exits to L0 per operation, kernel 6.1 without virtual GIF: the last table of what was measured. */
const measured: readonly (readonly [operation: string, pair: string, exits: number])[] = [
  ["CPUID", "kvm-6.1@kvm-tdp", 8],
  ["CPUID", "kvm-6.1@kvm-6.1", 8],
  ["CPUID", "kvm-tdp@kvm-tdp", 8],
  ["CR3 load, same root", "kvm-6.1@kvm-6.1", 8],
  ["INVLPG of a mapped page", "kvm-6.1@kvm-tdp", 9],
  ["INVLPG of a mapped page", "kvm-6.1@kvm-6.1", 9],
  ["first touch, A and D set", "kvm-6.1@kvm-tdp", 1],
  ["first touch, A and D set", "kvm-6.1@kvm-6.1", 2.125],
  ["first touch, A clear", "kvm-6.1@kvm-6.1", 10],
  ["first touch of a frame that nested tables lack", "kvm-tdp@kvm-tdp", 10],
  ["one PTE: new frame, CR3 load, touch", "kvm-6.1@kvm-tdp", 24],
  ["one PTE: new frame, CR3 load, touch", "kvm-6.1@kvm-6.1", 29],
  ["PML4 store", "kvm-6.1@kvm-6.1", 8],
  ["demand #PF", "kvm-6.1@kvm-6.1", 18],
  ["copy-on-write #PF", "kvm-6.1@kvm-6.1", 21],
  ["demand #PF", "kvm-tdp@kvm-tdp", 0],
];

// Seen failing with an L0 that prefetches over entries whose A bit is clear.
it.each(measured)("%s under %s costs L0 %d exits, as measured", (name, pair, exits) => {
  const operation = operations.find((one) => one.name === name);
  const engine = findEngine(pair);
  if (operation === undefined || engine === undefined || "problem" in engine) {
    throw new Error("no such operation or pair");
  }
  const count = exitsPerOperation(operation, engine);
  // What happens once per table of 512 entries.
  expect(Math.abs(count - exits)).toBeLessThan(0.1);
});

describe("the answer", () => {
  let findings: readonly NamedFinding[] = [];
  beforeAll(async () => {
    const out = mkdtempSync(join(tmpdir(), "why-nested-"));
    const { signal } = new AbortController();
    const { experiments } = nested;
    ({ findings } = await runWhy({
      experiments,
      out,
      workers: 1,
      signal,
      onFinished: () => undefined,
    }));
  }, 300_000);

  it.each(Object.keys(nested.experiments))("%s: every direction of its claim holds", (name) => {
    const found = findings.find((finding) => finding.name === name);
    expect(found?.checks.length).toBeGreaterThan(0);
    expect(found?.checks.filter(({ holds }) => !holds)).toEqual([]);
  });
});
