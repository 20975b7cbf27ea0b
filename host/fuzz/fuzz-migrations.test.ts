import { describe, expect, it, test } from "vitest";
import { fuzzMigrations, migratableEngines } from "./fuzz-migrations.ts";
import { planted } from "../migration/planted-engines.ts";

const nothing = () => undefined;

test("random guests migrated under every engine that can be: nothing is lost", () => {
  const result = fuzzMigrations({
    seed: 1,
    ops: 5000,
    targets: migratableEngines,
    onProgress: nothing,
  });
  expect(result.failure).toBeNull();
  const engines = Object.keys(migratableEngines).length;
  expect(engines).toBeGreaterThan(10);
  // A guest may end itself; most do not.
  expect(result.migrations).toBeGreaterThan(result.programs * engines * 0.8);
  expect(result.pagesPulled).toBeGreaterThan(100);
  expect(result.checked).toBeGreaterThan(20_000);
});

test("a seed decides everything", () => {
  const run = (seed: number) => {
    const { "ept-pml": pml, "shadow-lazy": lazy } = migratableEngines;
    const targets = { pml, lazy } as typeof migratableEngines;
    return fuzzMigrations({ seed, ops: 2500, targets, onProgress: nothing });
  };
  expect(run(3)).toEqual(run(3));
  expect(run(4)).not.toEqual(run(3));
});

describe("planted bugs", () => {
  it.each(Object.entries(planted))("%s: found, and told as a trace", (name, { create }) => {
    const { failure } = fuzzMigrations({
      seed: 7,
      ops: 100_000,
      targets: { [name]: create },
      onProgress: nothing,
    });
    expect(failure?.engine).toBe(name);
    expect(failure?.message).toMatch(/migration: gfn|does not report|found old data/);
    // Ops are the clock as well: a migration needs some of them to get anywhere.
    expect(failure?.ops).toBeLessThan(900);
    expect(failure?.trace).toContain("# vmmu-trace 3\n# ");
  });
});
