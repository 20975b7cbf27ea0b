/** Rows from counts: their order, their prices, and what each slowdown is relative to. */
import { expect, test } from "vitest";
import { assert } from "../../machine/assert.ts";
import { fixedCost, presetCosts, readCost } from "./cost-file.ts";
import { events, price, sections, totalCycles } from "./cost.ts";
import { madeUpResult } from "../results/made-up-results.ts";
import { reprice, resultRows } from "./price-rows.ts";
import {
  type CounterName,
  createLedger,
  type CycleCategory,
  cycleCategories,
  exitCauses,
} from "../results/result.ts";

interface Priced {
  readonly counters: readonly CounterName[];
  readonly category: CycleCategory;
}

const costFor = presetCosts();

test("points come in the order of their ids, set-up before the measured region, walks by length", () => {
  const results = [madeUpResult({ id: 2 }, 3), madeUpResult({ id: 1, engine: "native" })];
  const { points, walks } = resultRows(results, costFor);
  expect(points.map(({ key, region }) => [key.id, region])).toEqual([
    [1, "setup"],
    [1, "measured"],
    [2, "setup"],
    [2, "measured"],
  ]);
  // Lengths that no walk had are left out.
  const lines = walks.map(({ key, region, references, walks: count }) => {
    return [key.id, region, references, count];
  });
  expect(lines.slice(0, 3)).toEqual([
    [1, "setup", 2, 3],
    [1, "measured", 1, 5],
    [1, "measured", 4, 7],
  ]);
  expect(lines).toHaveLength(6);
});

test("a slowdown is relative to bare metal's same region, to six digits", () => {
  const results = [madeUpResult({ id: 0, engine: "native" }), madeUpResult({ id: 1 }, 3)];
  const { points } = resultRows(results, costFor);
  const [nativeSetup, nativeMeasured, setup, measured] = points;
  expect([nativeSetup?.slowdown, nativeMeasured?.slowdown]).toEqual([1, 1]);
  for (const [row, baseline] of [
    [setup, nativeSetup],
    [measured, nativeMeasured],
  ] as const) {
    assert(row !== undefined && baseline !== undefined, "test: a row is missing");
    const exact = row.cyclesTotal / baseline.cyclesTotal;
    expect(row.slowdown).toBe(Number(exact.toPrecision(6)));
    expect(row.cyclesTotal).toBe(totalCycles(row.cycles));
    expect(row.cost).toBe("skylake-sp");
  }
});

// Planted: the first baseline taken whatever its host pages; a program told apart by its host.
test("the baseline is that of the same host if there is one, otherwise any of the same program", () => {
  const native = { engine: "native" } as const;
  const results = [
    madeUpResult({ id: 0, ...native, backing: "4k" }, 1),
    madeUpResult({ id: 1, ...native, backing: "2m" }, 2),
    madeUpResult({ id: 2, ...native, backing: "2m", nestedLevels: 5 }, 4),
    madeUpResult({ id: 3, backing: "2m" }, 8),
    madeUpResult({ id: 4, backing: "2m", nestedLevels: 5 }, 8),
    madeUpResult({ id: 5, backing: "4k", nestedLevels: 5 }, 8),
    madeUpResult({ id: 6, seed: 2 }, 8),
    madeUpResult({ id: 7, params: { pages: 65 } }, 8),
    madeUpResult({ id: 8, guestLevels: 5 }, 8),
    madeUpResult({ id: 9, preset: "zen2" }, 8),
    madeUpResult({ id: 10, workload: "gups" }, 8),
  ];
  const rows = resultRows(results, costFor).points.filter(({ region }) => region === "measured");
  const total = (id: number) => rows.find(({ key }) => key.id === id)?.cyclesTotal ?? 0;
  const slowdown = (id: number) => rows.find(({ key }) => key.id === id)?.slowdown;
  for (const [id, baseline] of [
    [3, 1],
    [4, 2],
    [5, 0],
  ] as const) {
    expect(slowdown(id)).toBe(Number((total(id) / total(baseline)).toPrecision(6)));
  }
  expect([6, 7, 8, 9, 10].map(slowdown)).toEqual([null, null, null, null, null]);
});

test("rows priced again forget what they cost, and keep what they counted", () => {
  const { points } = resultRows([madeUpResult({ engine: "native" })], costFor);
  const dear = reprice(points, fixedCost("p4-vtx"));
  expect(dear.map(({ cost }) => cost)).toEqual(["p4-vtx", "p4-vtx"]);
  expect(dear[1]?.counters).toEqual(points[1]?.counters);
  expect(dear[1]?.cyclesTotal).not.toBe(points[1]?.cyclesTotal);
  expect(reprice(dear, costFor)).toEqual(points);
});

test("a preset without a cost file of its own is priced as the default one", () => {
  expect(["textbook", "zen2", "core2"].map((name) => costFor(name).name)).toEqual([
    "skylake-sp",
    "zen2",
    "core2",
  ]);
  expect(costFor("zen2")).toBe(costFor("zen2"));
});

// Planted: an event that is priced under another cause, a counter that is left out of a pair.
test("each counter adds its price to one cause, and nothing else does", () => {
  const cost = readCost("skylake-sp");
  for (const section of sections) {
    const prices: Readonly<Record<string, number>> = cost.events[section];
    for (const [name, event] of Object.entries<Priced>(events[section])) {
      const unit = prices[name] ?? Number.NaN;
      for (const counter of event.counters) {
        const cycles = price({ ...createLedger(), [counter]: 1000 }, 0, cost);
        expect(cycles[event.category], counter).toBe(Math.round(1000 * unit));
        expect(totalCycles(cycles), counter).toBe(Math.round(1000 * unit));
      }
    }
  }
  for (const cause of exitCauses) {
    const cycles = price({ ...createLedger(), [`exits${cause}`]: 10 }, 0, cost);
    const { direct, indirect, handler } = cost.exits[cause];
    expect(cycles[`exitDirect${cause}`]).toBe(Math.round(10 * direct));
    expect(cycles[`exitIndirect${cause}`]).toBe(Math.round(10 * indirect));
    expect(cycles.hypervisorHandlers).toBe(Math.round(10 * handler));
  }
  const walks = { ...createLedger(), walkReferencesGuest: 7, walkReferencesNested: 11 };
  expect(price(walks, 0, cost)).toMatchObject({
    walkGuest: Math.round(7 * cost.walk.reference),
    walkNested: Math.round(11 * cost.walk.reference),
  });
  const updates = { ...createLedger(), accessedBitsSet: 2, dirtyBitsSet: 3, computeOps: 4 };
  expect(price(updates, 2.5, cost)).toMatchObject({
    walkUpdates: Math.round(5 * cost.walk.entryUpdated),
    guestCompute: 10,
  });
});

test("a reference that a data cache answered costs what that place costs", () => {
  const cost = readCost("skylake-sp");
  const places = {
    L1Hits: cost.walk.referenceL1,
    L2Hits: cost.walk.referenceL2,
    LlcHits: cost.walk.referenceLlc,
    Dram: cost.walk.referenceDram,
    Remote: cost.walk.referenceRemote,
  };
  for (const [place, cycles] of Object.entries(places)) {
    const counts = {
      ...createLedger(),
      walkReferencesGuest: 4,
      walkReferencesNested: 6,
      [`guestReference${place}`]: 4,
      [`nestedReference${place}`]: 6,
    };
    expect(price(counts, 0, cost), place).toMatchObject({
      walkGuest: Math.round(4 * cycles),
      walkNested: Math.round(6 * cycles),
    });
  }
  expect(cycleCategories.length).toBeGreaterThan(exitCauses.length * 2);
});
