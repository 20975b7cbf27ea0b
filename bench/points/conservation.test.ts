/**
 * What must add up in every ledger: where translations came from, why the guest was left, how long walks were.
 *
 * These are the counting bugs that simulators have shipped; each was planted here and seen to break a sum.
 */
import { describe, expect, test } from "vitest";
import { Prng } from "../../guest/prng.ts";
import { createLedger, subtract } from "../../machine/counters.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { Vpn } from "../../machine/address.ts";
import type { Mmu } from "../../machine/mmu.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { presets } from "../../machine/presets.ts";
import { engines } from "../../engines/index.ts";
import { engineNames } from "./catalogue.ts";
import { readCost } from "../costs/cost-file.ts";
import { price, totalCycles } from "../costs/cost.ts";
import { drawProgram } from "../../check/fuzz/draw-program.ts";
import { runProgram } from "../../check/fuzz/run-program.ts";
import { smallPresets } from "../../check/fuzz/small-presets.ts";
import type { RegionCounts } from "../../machine/region.ts";
import { exitCounters, type PointKey, regions } from "../results/result.ts";
import { runPoint } from "./run-point.ts";
import { regionBetween } from "../../machine/region.ts";
import { checkedGuest } from "../../check/oracle/checked-guest.ts";

/** The sums that do not hold in a region, as `what: left = right`. */
function brokenSums({ ledger, walkLengths }: RegionCounts): string[] {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const { accesses, l1Hits, stlbHits, stlbMisses, emulatedStores } = ledger;
  const { exitsPageFault, exitsEptViolation, exitsEptMisconfiguration, exitsPmlFull } = ledger;
  const nested = exitsEptViolation + exitsEptMisconfiguration + exitsPmlFull;
  const delivered = ledger.guestPageFaults - ledger.guestFaultsReflected;
  const stops = exitsPageFault + ledger.softwareExitsPageFault + nested + delivered;
  const references = walkLengths.map((walks, length) => walks * length);
  const sums = {
    accesses: [accesses, l1Hits + stlbHits + stlbMisses + emulatedStores],
    exits: [ledger.exits, sum(exitCounters.map((name) => ledger[name]))],
    // Every walk ends in a translation that was missing, in one that had to be renewed, or in a stop.
    walks: [ledger.walks, stlbMisses + ledger.dirtyAssists + stops],
    "walks by length": [ledger.walks, sum(walkLengths)],
    references: [ledger.walkReferencesGuest + ledger.walkReferencesNested, sum(references)],
  } as const;
  return Object.entries(sums)
    .filter(([, [left, right]]) => left !== right)
    .map(([name, [left, right]]) => `${name}: ${left} = ${right}`);
}

const small = {
  forkwait: { forks: 3, pages: 32, childWrites: 4, kpti: 1, pcid: 1 },
  "key-value": {
    pages: 512,
    requests: 2000,
    writePercent: 20,
    requestsPerSwitch: 8,
    requestsPerSlab: 64,
    pageSize: "4k",
    kpti: 0,
    pcid: 1,
  },
} as const;

function run(engine: string, workload: keyof typeof small, mmu: MmuFactory = fastMmu) {
  const host = { preset: "skylake-sp", backing: "4k", guestLevels: 4, nestedLevels: 4 } as const;
  const key: PointKey = { id: 0, engine, workload, params: small[workload], ...host, seed: 1 };
  return runPoint(key, { preset: presets["skylake-sp"], mmu, check: true }).result;
}

describe.each(engineNames)("under %s", (engine) => {
  test.each(["forkwait", "key-value"] as const)(
    "the sums of %s hold in both regions",
    (workload) => {
      const result = run(engine, workload);
      for (const region of regions) expect(brokenSums(result.regions[region])).toEqual([]);
    },
  );

  test("they hold for guests that break the rules", () => {
    const prng = new Prng(3);
    const target = {
      engine,
      factory: engines[engine].create,
      native: engine === "native",
      nestedLevels: 4,
    } as const;
    for (let i = 0; i < 4; i++) {
      const program = drawProgram(prng, 500);
      for (const [presetName, preset] of Object.entries(smallPresets)) {
        const { counts, problem } = runProgram(program, { ...target, presetName, preset });
        expect(problem).toBeNull();
        expect(counts === null ? [] : brokenSums(regionBetween(null, counts))).toEqual([]);
      }
    }
  });
});

/** The fast unit whose counts go wrong on their way out. */
function miscounting(
  spoil: (ledger: Parameters<Mmu["collect"]>[0], walks: Float64Array) => void,
): MmuFactory {
  return (memory, preset) => {
    const mmu = fastMmu(memory, preset);
    return {
      ...mmu,
      collect(ledger, walkLengths) {
        const fresh = createLedger();
        const freshWalks = new Float64Array(walkLengths.length);
        mmu.collect(fresh, freshWalks);
        spoil(fresh, freshWalks);
        for (const name of Object.keys(fresh) as (keyof typeof fresh)[])
          ledger[name] += fresh[name];
        for (const [i, walks] of freshWalks.entries())
          walkLengths[i] = (walkLengths[i] ?? 0) + walks;
      },
    };
  };
}

describe("a planted miscount breaks a sum:", () => {
  test.each([
    [
      "misses counted at both levels",
      /^accesses/,
      miscounting((l) => (l.stlbMisses += l.stlbHits)),
    ],
    ["hits in the second level lost", /^accesses/, miscounting((l) => (l.stlbHits = 0))],
    [
      "faulting walks not counted",
      /^walks/,
      miscounting((l) => (l.walks = l.stlbMisses + l.dirtyAssists)),
    ],
    [
      "the nested dimension left out of walk lengths",
      /^references/,
      miscounting((l) => (l.walkReferencesNested = 0)),
    ],
    [
      "long walks left out of the histogram",
      /^walks by length/,
      miscounting((_, walks) => walks.fill(0, 8)),
    ],
  ])("%s", (_, sum, mmu) => {
    const { setup, measured } = run("ept", "key-value", mmu).regions;
    const broken = [...brokenSums(setup), ...brokenSums(measured)];
    expect(broken.some((text) => sum.test(text))).toBe(true);
  });
});

test("an exit is counted once, under its reason", () => {
  const { setup, measured } = run("shadow", "forkwait").regions;
  const doubled = { ...measured.ledger, exitsInvlpg: measured.ledger.exitsInvlpg * 2 };
  expect(measured.ledger.exitsInvlpg).toBeGreaterThan(0);
  expect(brokenSums({ ...setup, ledger: doubled })).not.toEqual([]);
});

// Planted: `regionBetween` that ignores its first snapshot reports 300 accesses here.
test("statistics of the warm-up do not leak into the measured region", () => {
  const { machine, vcpu, image } = checkedGuest({ engine: "ept" });
  const touch = (times: number) => {
    for (let i = 0; i < times; i++) vcpu.write(image.userPages[i % 8] ?? (0 as Vpn));
  };
  touch(200);
  const warm = machine.snapshot();
  touch(100);
  const measured = regionBetween(warm, machine.snapshot());
  expect(measured.ledger.accesses).toBe(100);
  expect(measured.ledger.stores).toBe(100);
  // Everything is cached by now: no walk, no exit, and no walk in the histogram.
  expect([measured.ledger.walks, measured.ledger.exits]).toEqual([0, 0]);
  expect(measured.walkLengths.every((walks) => walks === 0)).toBe(true);
  expect(subtract(warm.ledger, warm.ledger).accesses).toBe(0);
});

// Planted: a `price` without its walk terms; a walk then costs nothing and the totals below are equal.
test("a walk's latency is part of the total", () => {
  const cost = readCost("skylake-sp");
  const { ledger } = run("ept", "key-value").regions.measured;
  const dearer = { ...cost, walk: { ...cost.walk, reference: cost.walk.reference + 1 } };
  const more = totalCycles(price(ledger, 0, dearer)) - totalCycles(price(ledger, 0, cost));
  expect(more).toBe(ledger.walkReferencesGuest + ledger.walkReferencesNested);
});
