/**
 * The fuzzer itself: it repeats, it reaches what it is for, and what it finds it writes down to be replayed.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type EngineName, engines } from "../../engines/index.ts";
import { Prng } from "../../guest/prng.ts";
import type { Gfn } from "../../machine/address.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { Machine, type MmuFactory } from "../../machine/machine.ts";
import { presets } from "../../machine/presets.ts";
import { replayDecoded } from "../../workloads/trace/replay.ts";
import { decodeVmmu } from "../../workloads/trace/vmmu.ts";
import { engineNames } from "../../engines/index.ts";
import { fuzz } from "./fuzz.ts";
import { drawProgram } from "./draw-program.ts";
import { type FuzzFailure, hunt } from "./hunt.ts";
import type { Program } from "./program.ts";
import { runProgram, type Target } from "./run-program.ts";
import { shrinkList } from "./shrink.ts";
import { smallPresets } from "./small-presets.ts";
import { attachOracle } from "../oracle/oracle.ts";

const nothing = () => undefined;

function target(engine: EngineName, changes: Partial<Target> = {}): Target {
  const base = { engine, factory: engines[engine].create, native: engine === "native" };
  return { ...base, presetName: "roomy", preset: smallPresets.roomy, nestedLevels: 4, ...changes };
}

function programs(seed: number, count: number, ops = 1000): Program[] {
  const prng = new Prng(seed);
  return Array.from({ length: count }, () => drawProgram(prng, ops));
}

test("random guests under all engines on small caches: nothing to object to", () => {
  const result = fuzz({
    seed: 1,
    ops: 15_000,
    engines: engineNames,
    presets: ["tiny", "roomy"],
    onProgress: nothing,
  });
  expect(result.failure).toBeNull();
  expect(result.checked).toBeGreaterThan(100_000);
});

test("a seed decides everything, and progress only grows", () => {
  const run = (seed: number) => {
    const seen: number[] = [];
    const result = fuzz({
      seed,
      ops: 3000,
      engines: ["native", "shadow"],
      presets: ["tiny", "roomy"],
      onProgress: ({ checked }) => seen.push(checked),
    });
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    return { ...result, seen };
  };
  expect(run(7)).toEqual(run(7));
  expect(run(8).checked).not.toBe(run(7).checked);
});

test("programs reach what they are for: faults, stale translations, five levels, several vCPUs", () => {
  const drawn = programs(2, 40);
  const kinds = new Set(drawn.flatMap(({ groups }) => groups.flat().map(({ op }) => op)));
  expect([...kinds].toSorted().join(" ")).toBe(
    "copy-page cpuid fetch host invlpg invpcid privilege read read-cr3 store vcpu write " +
      "write-cr0 write-cr3 write-cr4 zero-page",
  );
  for (const isOrderly of [true, false]) {
    const chosen = drawn.filter((program) => program.isOrderly === isOrderly);
    const host = chosen.flatMap(({ groups }) => groups.flat().filter((op) => op.op === "host"));
    expect([...new Set(host.map(({ event }) => event.kind))].toSorted()).toEqual(
      expect.arrayContaining(["dirty-log-clear", "dirty-log-get", "dirty-log-off", "dirty-log-on"]),
    );
  }
  expect(new Set(drawn.map(({ header }) => header.registers.levels))).toEqual(new Set([4, 5]));
  expect(new Set(drawn.map(({ header }) => header.vcpus))).toEqual(new Set([1, 2, 3]));
  const verdicts = drawn.map((program) => runProgram(program, target("native")));
  const sum = (pick: (verdict: (typeof verdicts)[number]) => number) =>
    verdicts.reduce((total, verdict) => total + pick(verdict), 0);
  const ops = drawn.reduce((total, { groups }) => total + groups.flat().length, 0);
  expect(sum(({ checked }) => checked)).toBeGreaterThan(ops / 3);
  expect(sum(({ faults }) => faults)).toBeGreaterThan(ops / 50);
  expect(sum(({ stale }) => stale)).toBeGreaterThan(ops / 200);
});

/** Hardware on which an INVLPG does nothing. */
const deaf: MmuFactory = (memory, preset) => ({
  ...fastMmu(memory, preset),
  invalidatePage: nothing,
});

function find(targets: readonly Target[], drawn = programs(3, 60)): FuzzFailure {
  const { failure } = hunt({
    programs: drawn,
    nextTargets: () => targets,
    known: presets,
    onProgress: nothing,
  });
  if (failure === null) throw new Error("the planted bug was not found");
  return failure;
}

test("a failure shrinks to a few ops, in a trace that fails when replayed and only then", () => {
  const failure = find([target("ept", { mmu: deaf })]);
  expect(failure.ops).toBeLessThanOrEqual(8);
  expect(Object.keys(presets)).toContain(failure.preset);
  expect(failure.trace).toMatch(
    /^# vmmu-trace 3\n# shadewalk run --trace THIS --engine ept --preset [\w-]+ --levels [45]-on-4 --check\n/,
  );
  expect(() => replay(failure, deaf)).toThrow(failure.message.split("\n")[0]);
  expect(() => replay(failure, fastMmu)).not.toThrow();
});

/** What `shadewalk run --trace FILE --check` does. */
function replay({ trace, engine, preset }: FuzzFailure, mmu: MmuFactory): void {
  const source = decodeVmmu(Buffer.from(trace), "failure");
  const { memoryFrames, vcpus, backing, shadowPagesMax } = source.header;
  const machine = new Machine({
    preset: presets[preset as keyof typeof presets],
    mmu,
    guestFrames: memoryFrames,
    vcpus,
    seed: 1,
    backing,
    nestedLevels: 4,
    placement: "scatter",
  });
  const made = engines[engine as EngineName].create(
    machine,
    shadowPagesMax === null ? {} : { shadowPagesMax },
  );
  const hypervisor = attachOracle(machine, { native: engine === "native", engine }).watch(made);
  const options = { fetchEachOp: false };
  replayDecoded({ machine, hypervisor, source, onPhase: nothing, options });
}

// Planted: guests that forget flushes, passed off as orderly ones.
test("an orderly guest may not need a stale value, however legal", () => {
  const wild = programs(3, 40).filter(({ isOrderly }) => !isOrderly);
  const posing = wild.map((program) => ({ ...program, isOrderly: true }));
  expect(find([target("native")], posing).message).toMatch(/of an orderly guest used stale values/);
});

// Planted: at a CPUID the hypervisor scribbles on a frame of the guest's that nobody maps.
test("engines that leave different memory behind are found by comparison", () => {
  const scribble = (made: Hypervisor): Hypervisor => ({
    ...made,
    exit(exit, vcpu) {
      if (exit.reason === "cpuid") made.memory.write(7 as Gfn, 5, 0x1234, 0);
      return made.exit(exit, vcpu);
    },
  });
  const factory: Target["factory"] = (machine) => scribble(engines.ept.create(machine));
  const failure = find([target("native"), target("ept", { factory })]);
  expect(failure.message).toMatch(/ept and native differ: they leave different bytes/);
  expect(failure.trace).toMatch(/\ncpuid\n$/);
});

// Mutation seen failing: `end - size` replaced by `end - 1`, which drops one element per chunk.
test("a shrunk list still fails and has nothing to spare", () => {
  const numbers = fc.uniqueArray(fc.nat(200), { maxLength: 60, size: "max" });
  const culprits = fc.uniqueArray(fc.nat(200), { minLength: 1, maxLength: 4, size: "max" });
  fc.assert(
    fc.property(numbers, culprits, (items, needed) => {
      const all = [...new Set([...items, ...needed])];
      const fails = (list: readonly number[]) => needed.every((item) => list.includes(item));
      const short = shrinkList({ items: all, fails, trialsMax: 5000 });
      expect(short.toSorted((a, b) => a - b)).toEqual(needed.toSorted((a, b) => a - b));
    }),
  );
});

test("shrinking stops when its trials are used up", () => {
  let trials = 0;
  const items = Array.from({ length: 500 }, (_, i) => i);
  const fails = (list: readonly number[]) => {
    trials += 1;
    return list.includes(250);
  };
  const short = shrinkList({ items, fails, trialsMax: 10 });
  expect(trials).toBe(10);
  expect(short).toContain(250);
});
