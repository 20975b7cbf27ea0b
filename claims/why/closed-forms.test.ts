/**
 * Closed forms of what claims are made of: groups of cycles, rates, mechanisms taken away, a map's winners.
 */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { presetCosts } from "../../bench/costs/cost-file.ts";
import { type CostModel, exitPrices } from "../../bench/costs/cost.ts";
import { madeUpResult } from "../../bench/results/made-up-results.ts";
import { resultRows } from "../../bench/costs/price-rows.ts";
import { readPoints } from "../../bench/files/read-results.ts";
import { type ExitCause, exitCauses, type PointRow } from "../../bench/results/result.ts";
import { cyclesIn } from "./cycle-groups.ts";
import {
  over,
  percent,
  perThousand,
  referencesPerWalk,
  updatesPerThousand,
  walkCycles,
} from "../../bench/results/figures.ts";
import { agrees, isDecided, programAgrees } from "./frontier-map.ts";
import { type Account, type Player, players } from "./players.ts";

const [row] = resultRows([madeUpResult({ engine: "ept" })], presetCosts()).points as [PointRow];
const { counters, cycles } = row;

describe("figures", () => {
  it("divides all cycles among four groups", () => {
    const groups = ["guest", "walks", "exits", "software"] as const;
    const sum = groups.reduce((total, group) => total + cyclesIn(row, group), 0);
    expect(sum).toBe(row.cyclesTotal);
  });

  // Seen failing: the host's faults counted as the guest's.
  it("books each cause where its name says", () => {
    const only = (name: keyof typeof cycles) => {
      const none = Object.fromEntries(Object.keys(cycles).map((key) => [key, 0]));
      return { ...row, cycles: { ...none, [name]: 7 } as PointRow["cycles"] };
    };
    expect(cyclesIn(only("guestKernel"), "guest")).toBe(7);
    expect(cyclesIn(only("walkUpdates"), "walks")).toBe(7);
    expect(cyclesIn(only("exitIndirectPmlFull"), "exits")).toBe(7);
    expect(cyclesIn(only("hypervisorDirtyLog"), "software")).toBe(7);
    expect(cyclesIn(only("host"), "software")).toBe(7);
  });

  // Seen failing: CR3 writes left out of the updates; updates of entries left out of the walks.
  it("has rates per thousand accesses and sums of what they name", () => {
    const { pteStores, invlpgs, invpcids, cr3Writes, accesses } = counters;
    const updates = pteStores + invlpgs + invpcids + cr3Writes;
    expect(updatesPerThousand(row)).toBeCloseTo((1000 * updates) / accesses, 9);
    expect(perThousand(row, "walks")).toBeCloseTo((1000 * counters.walks) / accesses, 9);
    const references = counters.walkReferencesGuest + counters.walkReferencesNested;
    expect(referencesPerWalk(row)).toBeCloseTo(references / counters.walks, 9);
    expect(walkCycles(row)).toBe(cyclesIn(row, "walks"));
    expect(over({ ...row, cyclesTotal: 30 }, { ...row, cyclesTotal: 20 })).toBe(1.5);
    expect(percent(3, 4)).toBe(75);
  });
});

/** What a player that only reprices makes free, as paths of prices. */
function freed({ account }: Player): string[] {
  const cost = presetCosts()("skylake-sp");
  const one = (value: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.keys(value).map((name) => [name, 1]));
  const exits = Object.fromEntries(exitCauses.map((cause) => [cause, one(cost.exits[cause])]));
  const { guest, hypervisor, host } = cost.events;
  const events = { guest: one(guest), hypervisor: one(hypervisor), host: one(host) };
  const before = { ...cost, exits, events, walk: one(cost.walk) } as unknown as CostModel;
  const after = (account as (before: Account) => Account)({ counters, cost: before });
  expect(after.counters).toEqual(counters);
  return pathsOf(after.cost);
}

/** Paths of the prices that are 0. */
function pathsOf(node: object): string[] {
  return Object.entries(node).flatMap(([name, value]: [string, unknown]) => {
    if (typeof value === "object" && value !== null) {
      return pathsOf(value).map((path) => `${name}.${path}`);
    }
    return value === 0 ? [name] : [];
  });
}

const exitPaths = (causes: readonly ExitCause[], prices: readonly string[] = exitPrices) =>
  causes.flatMap((cause) => prices.map((name) => `exits.${cause}.${name}`));

const control: ExitCause[] = ["Cr3Write", "Cr3Read", "Invlpg", "Invpcid", "Cr0Write", "Cr4Write"];

describe("a mechanism taken away", () => {
  // Seen failing: CR4 writes missing in the hand-written list; handlers free with the price of the switch.
  it("frees its own prices and no others", () => {
    const sorted = (paths: readonly string[]) => paths.toSorted();
    expect(sorted(freed(players.exitPrice))).toEqual(
      sorted(exitPaths(exitCauses, ["direct", "indirect"])),
    );
    expect(sorted(freed(players.controlExits))).toEqual(sorted(exitPaths(control)));
    const software = Object.keys(presetCosts()("skylake-sp").events.hypervisor);
    expect(sorted(freed(players.software))).toEqual(
      sorted([
        ...exitPaths(exitCauses, ["handler"]),
        ...software.map((name) => `events.hypervisor.${name}`),
      ]),
    );
  });

  it("drops the references of the second dimension and nothing else", () => {
    const { account } = players.dimension;
    const cost = presetCosts()("skylake-sp");
    expect(account({ counters, cost })).toEqual({
      counters: {
        ...counters,
        walkReferencesNested: 0,
        nestedReferenceL1Hits: 0,
        nestedReferenceL2Hits: 0,
        nestedReferenceLlcHits: 0,
        nestedReferenceDram: 0,
        nestedReferenceRemote: 0,
      },
      cost,
    });
  });

  // The list of control exits against what was counted: nested paging takes none of them, shadow paging most.
  it("takes for control what no scheme of nested paging exits for", async () => {
    const points = await readPoints(
      join(import.meta.dirname, "../../results/reference/points.csv"),
    );
    const isNested = (engine: string) => /^(?:ept|npt|kvm-tdp)/.test(engine);
    const takenBy = (nested: boolean) =>
      exitCauses.filter((cause) =>
        points.some(
          (one) => isNested(one.key.engine) === nested && one.counters[`exits${cause}`] > 0,
        ),
      );
    const nested = takenBy(true);
    const shadow = takenBy(false);
    expect(nested.filter((cause) => control.includes(cause))).toEqual([]);
    const own = shadow.filter((cause) => !nested.includes(cause) && cause !== "PageFault");
    expect(own.length).toBeGreaterThan(2);
    expect(own.filter((cause) => !control.includes(cause))).toEqual([]);
  });
});

describe("a map's winners", () => {
  // Seen failing: a draw below 5 %, on one side only.
  it.each([
    [1, false],
    [1.005, false],
    [0.9951, false],
    [1.0051, true],
    [0.9949, true],
    [3, true],
  ])("a ratio of %d is decided: %s", (ratio, decided) => {
    expect(isDecided({ ratio })).toBe(decided);
  });

  // Seen failing: the middle of a square taken on a straight scale.
  it("asks the closed form at the middle of a square, on the axes' logarithmic scale", () => {
    const map = { name: "", slope: 2, cells: [], programs: [] };
    // Middle at 10 misses and 30 updates: above the line, so shadow paging loses, which is a ratio over 1.
    const above = { misses: [1, 100], updates: [9, 100], ratio: 1.5 } as const;
    expect(agrees(map, above)).toBe(true);
    expect(agrees(map, { ...above, ratio: 0.5 })).toBe(false);
    const below = { misses: [1, 100], updates: [1, 100], ratio: 0.5 } as const;
    expect(agrees(map, below)).toBe(true);
    expect(agrees(map, { ...below, ratio: 1.5 })).toBe(false);
    expect(programAgrees(map, { name: "", misses: 10, updates: 21, ratio: 1.5 })).toBe(true);
    expect(programAgrees(map, { name: "", misses: 10, updates: 19, ratio: 1.5 })).toBe(false);
  });
});
