/**
 * What each count costs, one by one, in a model whose prices are all different.
 *
 * The table stands here a second time on purpose: `cost.ts` is the only list that pricing has, so a wrong counter
 * or category in it is wrong everywhere at once, and sums of both sides agree.
 */
import { expect, test } from "vitest";
import { parseCost } from "./cost-file.ts";
import {
  type CostModel,
  events,
  exitPrices,
  price,
  sections,
  totalCycles,
  walkPrices,
} from "./cost.ts";
import {
  type CounterName,
  counterNames,
  createLedger,
  type CycleCategory,
  cycleCategories,
  exitCauses,
  type Ledger,
} from "../results/result.ts";

/** Counter, its price in a cost file, and the cause that its cycles are booked under. */
const priced: readonly (readonly [CounterName, string, CycleCategory])[] = [
  ["accesses", "guest.access", "guestAccess"],
  ["stlbHits", "guest.stlbLookup", "guestAccess"],
  ["stlbMisses", "guest.stlbLookup", "guestAccess"],
  ["guestPageFaults", "guest.pageFault", "guestKernel"],
  ["faultHandlerRuns", "guest.faultHandler", "guestKernel"],
  ["syscalls", "guest.syscall", "guestKernel"],
  ["contextSwitches", "guest.contextSwitch", "guestKernel"],
  ["cr3Writes", "guest.cr3Write", "guestKernel"],
  ["controlRegisterWrites", "guest.controlRegisterWrite", "guestKernel"],
  ["viewSwitches", "guest.viewSwitch", "guestKernel"],
  ["invlpgs", "guest.invlpg", "guestKernel"],
  ["invpcids", "guest.invpcid", "guestKernel"],
  ["pteStores", "guest.pteStore", "guestKernel"],
  ["pteLoads", "guest.pteLoad", "guestKernel"],
  ["pagesCopied", "guest.pageCopied", "guestKernel"],
  ["pagesZeroed", "guest.pageZeroed", "guestKernel"],
  ["forks", "guest.fork", "guestKernel"],
  ["execs", "guest.exec", "guestKernel"],
  ["processExits", "guest.processExit", "guestKernel"],
  ["mmaps", "guest.mmap", "guestKernel"],
  ["munmaps", "guest.munmap", "guestKernel"],
  ["mprotects", "guest.mprotect", "guestKernel"],
  ["softwareWalks", "hypervisor.softwareWalk", "hypervisorWalks"],
  ["faultsFixed", "hypervisor.faultFixed", "hypervisorHandlers"],
  ["faultsSpurious", "hypervisor.faultFixed", "hypervisorHandlers"],
  ["faultsFast", "hypervisor.faultFast", "hypervisorHandlers"],
  ["guestFaultsReflected", "hypervisor.faultReflected", "hypervisorHandlers"],
  ["reflectedExits", "hypervisor.exitReflected", "hypervisorHandlers"],
  ["softwareExits", "hypervisor.softwareExit", "hypervisorHandlers"],
  ["entriesFilled", "hypervisor.entryFilled", "hypervisorEntries"],
  ["entriesPrefetched", "hypervisor.entryPrefetched", "hypervisorEntries"],
  ["entriesDropped", "hypervisor.entryDropped", "hypervisorEntries"],
  ["entriesWriteProtected", "hypervisor.entryWriteProtected", "hypervisorEntries"],
  ["entriesDirtyCleared", "hypervisor.entryDirtyCleared", "hypervisorEntries"],
  ["shadowPagesAllocated", "hypervisor.tableAllocated", "hypervisorTables"],
  ["shadowPagesFound", "hypervisor.tableFound", "hypervisorTables"],
  ["shadowPagesZapped", "hypervisor.tableZapped", "hypervisorTables"],
  ["shadowPagesUnsynced", "hypervisor.tableUnsynced", "hypervisorTables"],
  ["shadowPagesSynced", "hypervisor.tableSynced", "hypervisorTables"],
  ["remoteFlushes", "hypervisor.flushRequested", "hypervisorTables"],
  ["remoteInterrupts", "hypervisor.remoteInterrupt", "hypervisorTables"],
  ["hugePagesSplit", "hypervisor.hugePageSplit", "hypervisorTables"],
  ["emulatedStores", "hypervisor.storeEmulated", "hypervisorEmulation"],
  ["emulatedPteWrites", "hypervisor.pteWriteMirrored", "hypervisorEmulation"],
  ["hugePagesCollapsed", "hypervisor.hugePageCollapsed", "hypervisorTables"],
  ["pmlDrains", "hypervisor.pmlDrain", "hypervisorDirtyLog"],
  ["pmlAppends", "hypervisor.pmlEntry", "hypervisorDirtyLog"],
  ["dirtyRingPushes", "hypervisor.dirtyRingPush", "hypervisorDirtyLog"],
  ["dirtyRingFulls", "hypervisor.dirtyRingFull", "hypervisorDirtyLog"],
  ["dirtyPagesReported", "hypervisor.dirtyPageReported", "hypervisorDirtyLog"],
  ["dirtyScanEntries", "hypervisor.dirtyEntryScanned", "hypervisorDirtyLog"],
  ["hostFaults", "host.fault", "host"],
  ["hostMajorFaults", "host.majorFault", "host"],
  ["hostSwapOuts", "host.swapOut", "host"],
  ["framesShared", "host.frameShared", "host"],
  ["sharesBroken", "host.shareBroken", "host"],
  ["sharesReused", "host.shareReused", "host"],
];

/** Every price of a cost file by its path, each another whole number from 1009 on. */
const priceOf = new Map<string, number>();
for (const path of [
  ...sections.flatMap((section) =>
    Object.keys(events[section]).map((name) => `${section}.${name}`),
  ),
  ...walkPrices.map((name) => `walk.${name}`),
  ...exitCauses.flatMap((cause) => exitPrices.map((name) => `exits.${cause}.${name}`)),
]) {
  priceOf.set(path, 1009 + 10 * priceOf.size);
}

/** The same as a file. */
function costText(prices: ReadonlyMap<string, number>): string {
  const root: Record<string, unknown> = { title: "all different" };
  for (const [path, cycles] of prices) {
    let node = root;
    const names = path.split(".");
    const last = names.pop() ?? "";
    for (const name of names) node = (node[name] ??= {}) as Record<string, unknown>;
    node[last] = { cycles, source: "assumed", reason: "a test" };
  }
  // JSON is YAML.
  return JSON.stringify(root);
}

const cost: CostModel = parseCost(costText(priceOf), "different.yaml");
const cyclesOf = (path: string): number => priceOf.get(path) ?? Number.NaN;

/** Counts of lines by where they were. */
const lineCounters = counterNames.filter((name) =>
  /^(?:guestReference|nestedReference|data)[LDR]/.test(name),
);

/** Only what is not zero. */
function booked(counts: Partial<Ledger>, perOp = 0): Partial<Record<CycleCategory, number>> {
  const cycles = price({ ...createLedger(), ...counts }, perOp, cost);
  const entries = cycleCategories.map((name) => [name, cycles[name]] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== 0));
}

// Seen failing: `stlbLookup` without `stlbMisses`, `faultFixed` without `faultsSpurious`, `faultFast` under walks.
test.each(priced)("%s costs %s each, as %s", (counter, path, category) => {
  expect(booked({ [counter]: 7 })).toEqual({ [category]: 7 * cyclesOf(path) });
});

// Seen failing: the handler of `Invpcid` left out.
test.each(exitCauses)("an exit for %s costs its three prices", (cause) => {
  const at = (name: string) => 7 * cyclesOf(`exits.${cause}.${name}`);
  expect(booked({ [`exits${cause}`]: 7 })).toEqual({
    [`exitDirect${cause}`]: at("direct"),
    [`exitIndirect${cause}`]: at("indirect"),
    hypervisorHandlers: at("handler"),
  });
});

test("a reference of either dimension costs one price without data caches", () => {
  expect(booked({ walkReferencesGuest: 3, walkReferencesNested: 5 })).toEqual({
    walkGuest: 3 * cyclesOf("walk.reference"),
    walkNested: 5 * cyclesOf("walk.reference"),
  });
});

// Seen failing: L2 and LLC exchanged, which counts of one size cannot show.
test.each([
  ["guestReference", "walkGuest"],
  ["nestedReference", "walkNested"],
] as const)("with data caches a %s costs what its line's place costs", (what, category) => {
  const counts = {
    [`${what}L1Hits`]: 1,
    [`${what}L2Hits`]: 2,
    [`${what}LlcHits`]: 4,
    [`${what}Dram`]: 8,
    [`${what}Remote`]: 16,
  };
  const sum =
    cyclesOf("walk.referenceL1") +
    2 * cyclesOf("walk.referenceL2") +
    4 * cyclesOf("walk.referenceLlc") +
    8 * cyclesOf("walk.referenceDram") +
    16 * cyclesOf("walk.referenceRemote");
  expect(booked(counts)).toEqual({ [category]: sum });
});

// Seen failing: a hit in L1 priced beside the access.
test("a program's line costs what its place costs, in L1 no more than the access", () => {
  const places = { dataL1Hits: 1, dataL2Hits: 2, dataLlcHits: 4, dataDram: 8, dataRemote: 16 };
  expect(booked(places)).toEqual({
    guestAccess:
      2 * cyclesOf("walk.referenceL2") +
      4 * cyclesOf("walk.referenceLlc") +
      8 * cyclesOf("walk.referenceDram") +
      16 * cyclesOf("walk.referenceRemote"),
  });
});

test.each(["accessedBitsSet", "dirtyBitsSet"] as const)(
  "%s is an update of an entry",
  (counter) => {
    expect(booked({ [counter]: 7 })).toEqual({ walkUpdates: 7 * cyclesOf("walk.entryUpdated") });
  },
);

test("an op of the program costs what its file says", () => {
  expect(booked({ computeOps: 7 }, 3)).toEqual({ guestCompute: 21 });
});

test("no other count costs anything", () => {
  const free = counterNames.filter(
    (name) => totalCycles(price({ ...createLedger(), [name]: 7 }, 3, cost)) === 0,
  );
  const known = new Set<CounterName>([
    ...priced.map(([counter]) => counter),
    ...exitCauses.map((cause) => `exits${cause}` as const),
    "walkReferencesGuest",
    "walkReferencesNested",
    "accessedBitsSet",
    "dirtyBitsSet",
    "computeOps",
    ...lineCounters.filter((name) => name !== "dataL1Hits"),
  ]);
  expect(free).toEqual(counterNames.filter((name) => !known.has(name)));
});

/** One of everything; with data caches the flat price of a reference has no part in it. */
const all = Object.fromEntries(counterNames.map((name) => [name, 1])) as Ledger;
const flat = { ...all, ...Object.fromEntries(lineCounters.map((name) => [name, 0])) };

// Seen failing: an event of the schema that `price` passes over.
test.each([...priceOf])("%s changes a total", (path, cycles) => {
  const dearer = parseCost(costText(new Map([...priceOf, [path, cycles + 100]])), "dearer.yaml");
  const counts = path === "walk.reference" ? flat : all;
  const more = totalCycles(price(counts, 1, dearer)) - totalCycles(price(counts, 1, cost));
  const times = priced.filter(([, name]) => name === path).length;
  if (path.startsWith("walk.reference")) expect(more).toBeGreaterThan(0);
  else if (path === "walk.entryUpdated") expect(more).toBe(200);
  else expect(more).toBe(100 * (path.startsWith("exits.") ? 1 : times));
});
