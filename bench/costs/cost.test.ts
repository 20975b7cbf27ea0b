import fc from "fast-check";
import { expect, test } from "vitest";
import { costPresets, readCost } from "./cost-file.ts";
import { type CostModel, events, price, sections, totalCycles } from "./cost.ts";
import {
  counterNames,
  createLedger,
  cycleCategories,
  exitCauses,
  exitCounters,
  type Ledger,
} from "../results/result.ts";

const cost = readCost("skylake-sp");

/** Counts of lines by where they were. */
const lineCounters = counterNames.filter((name) =>
  /^(?:guestReference|nestedReference|data)[LDR]/.test(name),
);

const ledgers = fc
  .array(fc.nat(1_000_000), {
    minLength: counterNames.length,
    maxLength: counterNames.length,
    size: "max",
  })
  .map((values) => {
    const ledger = createLedger();
    for (const [index, name] of counterNames.entries()) ledger[name] = values[index] ?? 0;
    return ledger;
  });

/** The plain sum that pricing must equal: every count times its price, causes forgotten. */
function plainSum(counts: Ledger, computeCyclesPerOp: number, model: CostModel): number {
  let sum = counts.computeOps * computeCyclesPerOp;
  for (const section of sections) {
    const prices: Readonly<Record<string, number>> = model.events[section];
    for (const [name, { counters }] of Object.entries<{
      readonly counters: readonly (keyof Ledger)[];
    }>(events[section])) {
      for (const counter of counters) sum += counts[counter] * (prices[name] ?? 0);
    }
  }
  for (const cause of exitCauses) {
    const { direct, indirect, handler } = model.exits[cause];
    sum += counts[`exits${cause}`] * (direct + indirect + handler);
  }
  sum += (counts.accessedBitsSet + counts.dirtyBitsSet) * model.walk.entryUpdated;
  const references = counts.walkReferencesGuest + counts.walkReferencesNested;
  return sum + references * model.walk.reference;
}

// Seen failing with `cycles[event.category] = count * ...` (the last event of a category wins).
test("total cycles are the sum of counts times prices", () => {
  fc.assert(
    fc.property(ledgers, fc.nat(100), (ledger, perOp) => {
      // Without data caches a reference has one price.
      const counts = {
        ...ledger,
        ...Object.fromEntries(lineCounters.map((name) => [name, 0])),
      };
      const expected = plainSum(counts, perOp, cost);
      const total = totalCycles(price(counts, perOp, cost));
      // Each category is rounded to whole cycles.
      expect(Math.abs(total - expected)).toBeLessThanOrEqual(0.5 * cycleCategories.length);
    }),
  );
});

// Seen failing with `1000 - exits * price` for handlers (a sign slip).
test("no count lowers the cycles of any cause", () => {
  fc.assert(
    fc.property(ledgers, fc.constantFrom(...counterNames), (ledger, name) => {
      // Where a line was decides its price, so a hit more can make the mean cheaper.
      fc.pre(!lineCounters.includes(name));
      const before = price(ledger, 3, cost);
      const after = price({ ...ledger, [name]: ledger[name] + 1000 }, 3, cost);
      for (const category of cycleCategories) {
        expect(after[category]).toBeGreaterThanOrEqual(before[category]);
      }
    }),
  );
});

test("an idle ledger costs nothing", () => {
  expect(totalCycles(price(createLedger(), 100, cost))).toBe(0);
});

test("with data caches a reference costs what its line's place costs", () => {
  const counts = {
    ...createLedger(),
    walkReferencesGuest: 30,
    walkReferencesNested: 10,
    guestReferenceL1Hits: 30,
    nestedReferenceDram: 10,
  };
  const cycles = price(counts, 0, cost);
  expect(cycles.walkGuest).toBe(30 * cost.walk.referenceL1);
  expect(cycles.walkNested).toBe(10 * cost.walk.referenceDram);
});

test("an exit pays its switch, its lost caches and its handler under three causes", () => {
  const cycles = price({ ...createLedger(), exits: 10, exitsCr3Write: 10 }, 0, cost);
  const { direct, indirect, handler } = cost.exits.Cr3Write;
  expect(cycles.exitDirectCr3Write).toBe(10 * direct);
  expect(cycles.exitIndirectCr3Write).toBe(10 * indirect);
  expect(cycles.hypervisorHandlers).toBe(10 * handler);
  expect(totalCycles(cycles)).toBe(10 * (direct + indirect + handler));
});

test("every exit counter is a cause with prices in every shipped file", () => {
  expect(exitCounters.length).toBe(exitCauses.length);
  for (const name of costPresets) {
    expect(Object.keys(readCost(name).exits).toSorted()).toEqual(exitCauses.toSorted());
  }
});

test("the first VT-x pays more for a page-fault exit than any later part", () => {
  const direct = costPresets.map((name) => readCost(name).exits.PageFault.direct);
  expect(direct[0]).toBe(Math.max(...direct));
  expect(direct[0]).toBe(4340);
});
