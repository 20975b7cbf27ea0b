/**
 * Guests that share memory by copy-on-write and merging are isolated, and bugs of sharing do not pass.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import { Prng } from "../../guest/prng.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { PhysicalMemory } from "../../machine/memory.ts";
import { HostTable } from "../../hypervisor/memory/table.ts";
import type { HostMemory } from "../../hypervisor/memory/host-memory.ts";
import { type EngineName, engines } from "../../engines/index.ts";
import { drawProgram } from "./draw-program.ts";
import { runPair } from "./run-pair.ts";
import type { Target } from "./run-program.ts";
import { smallPresets } from "./small-presets.ts";

const virtualized = Object.keys(engines).filter((name) => name !== "native") as EngineName[];

afterEach(() => vi.restoreAllMocks());

/** What is wrong with the first pair that something is wrong with; null when none. */
function firstProblem(engine: EngineName, pairs: number, change: Partial<Target> = {}) {
  const prng = new Prng(11);
  for (let i = 0; i < pairs; i++) {
    const problem = runPair(
      drawProgram(prng, 400),
      {
        engine,
        factory: engines[engine].create,
        native: false,
        presetName: "roomy",
        preset: smallPresets.roomy,
        nestedLevels: 4,
        ...change,
      },
      prng,
    );
    if (problem !== null) return problem;
  }
  return null;
}

test.each(virtualized)("a guest and its clone under %s never see each other", (engine) => {
  expect(firstProblem(engine, 4)).toBeNull();
});

/** Changes what the engine is told about its memory. */
function told(engine: EngineName, change: Partial<HostMemory>): Target["factory"] {
  return (machine): Hypervisor => {
    const made = engines[engine].create(machine);
    Object.assign(made.memory, change);
    return made;
  };
}

describe.each([
  "ept",
  "npt",
  "shadow",
  "shadow-vtlb",
  "shadow-lazy",
  "kvm-tdp",
  "kvm-tdp-legacy",
] as const)("%s: a planted bug is found:", (engine) => {
  test("no flush after frames became shared", () => {
    const mmu: Target["mmu"] = (memory, preset) => ({
      ...fastMmu(memory, preset),
      flushNested() {},
      flushLinear() {},
    });
    expect(firstProblem(engine, 20, { mmu })).not.toBeNull();
  });

  test("a shared frame mapped writable because the access was a read", () => {
    const factory = told(engine, { isWritable: () => true });
    expect(firstProblem(engine, 20, { factory })).toMatch(/others use (it )?too/);
  });

  test("frames shared and the host's entries left writable", () => {
    vi.spyOn(HostTable.prototype, "setRights").mockImplementation(() => undefined);
    expect(firstProblem(engine, 20)).toMatch(/others use (it )?too/);
  });

  test("a share broken without copying", () => {
    vi.spyOn(PhysicalMemory.prototype, "copy").mockImplementation(() => undefined);
    expect(firstProblem(engine, 20)).toMatch(/does not hold its contents|found old data/);
  });
});
