/**
 * What an event costs: counts of a run times prices of a cost file, after the run.
 *
 * The table below says which counters a price multiplies and which cause its cycles belong to; it is the
 * only list, and the fields of a cost file derive from it. Guest work is priced like everything else, or a
 * slowdown would have no denominator.
 *
 * Model: prices add up. An out-of-order core hides part of a walk or a miss behind other work, so the sum is
 * an upper bound; it is one for `native` as well. Bias: for shadow, because no core hides an exit.
 *
 * Model: a program's line costs its full latency wherever it was, where an out-of-order core overlaps independent
 * misses. Bias: for EPT, whose longer walks weigh less beside it.
 *
 * Model: what an exit does to the data caches is one number per exit reason, wherever the hypervisor went.
 * Bias: unknown.
 */
import {
  type CounterName,
  type CycleCategory,
  cycleCategories,
  type Cycles,
  type ExitCause,
  exitCauses,
  type Ledger,
} from "../results/result.ts";

interface Event {
  readonly counters: readonly CounterName[];
  readonly category: CycleCategory;
}

/** Priced events by section of a cost file. Walk references and exits follow their own rules below. */
export const events = {
  guest: {
    access: { counters: ["accesses"], category: "guestAccess" },
    stlbLookup: { counters: ["stlbHits", "stlbMisses"], category: "guestAccess" },
    pageFault: { counters: ["guestPageFaults"], category: "guestKernel" },
    faultHandler: { counters: ["faultHandlerRuns"], category: "guestKernel" },
    syscall: { counters: ["syscalls"], category: "guestKernel" },
    contextSwitch: { counters: ["contextSwitches"], category: "guestKernel" },
    cr3Write: { counters: ["cr3Writes"], category: "guestKernel" },
    controlRegisterWrite: { counters: ["controlRegisterWrites"], category: "guestKernel" },
    viewSwitch: { counters: ["viewSwitches"], category: "guestKernel" },
    invlpg: { counters: ["invlpgs"], category: "guestKernel" },
    invpcid: { counters: ["invpcids"], category: "guestKernel" },
    pteStore: { counters: ["pteStores"], category: "guestKernel" },
    pteLoad: { counters: ["pteLoads"], category: "guestKernel" },
    pageCopied: { counters: ["pagesCopied"], category: "guestKernel" },
    pageZeroed: { counters: ["pagesZeroed"], category: "guestKernel" },
    fork: { counters: ["forks"], category: "guestKernel" },
    exec: { counters: ["execs"], category: "guestKernel" },
    processExit: { counters: ["processExits"], category: "guestKernel" },
    mmap: { counters: ["mmaps"], category: "guestKernel" },
    munmap: { counters: ["munmaps"], category: "guestKernel" },
    mprotect: { counters: ["mprotects"], category: "guestKernel" },
  },
  hypervisor: {
    softwareWalk: { counters: ["softwareWalks"], category: "hypervisorWalks" },
    faultFixed: { counters: ["faultsFixed", "faultsSpurious"], category: "hypervisorHandlers" },
    faultFast: { counters: ["faultsFast"], category: "hypervisorHandlers" },
    faultReflected: { counters: ["guestFaultsReflected"], category: "hypervisorHandlers" },
    exitReflected: { counters: ["reflectedExits"], category: "hypervisorHandlers" },
    softwareExit: { counters: ["softwareExits"], category: "hypervisorHandlers" },
    entryFilled: { counters: ["entriesFilled"], category: "hypervisorEntries" },
    entryPrefetched: { counters: ["entriesPrefetched"], category: "hypervisorEntries" },
    entryDropped: { counters: ["entriesDropped"], category: "hypervisorEntries" },
    entryWriteProtected: { counters: ["entriesWriteProtected"], category: "hypervisorEntries" },
    entryDirtyCleared: { counters: ["entriesDirtyCleared"], category: "hypervisorEntries" },
    tableAllocated: { counters: ["shadowPagesAllocated"], category: "hypervisorTables" },
    tableFound: { counters: ["shadowPagesFound"], category: "hypervisorTables" },
    tableZapped: { counters: ["shadowPagesZapped"], category: "hypervisorTables" },
    tableUnsynced: { counters: ["shadowPagesUnsynced"], category: "hypervisorTables" },
    tableSynced: { counters: ["shadowPagesSynced"], category: "hypervisorTables" },
    flushRequested: { counters: ["remoteFlushes"], category: "hypervisorTables" },
    remoteInterrupt: { counters: ["remoteInterrupts"], category: "hypervisorTables" },
    hugePageSplit: { counters: ["hugePagesSplit"], category: "hypervisorTables" },
    storeEmulated: { counters: ["emulatedStores"], category: "hypervisorEmulation" },
    pteWriteMirrored: { counters: ["emulatedPteWrites"], category: "hypervisorEmulation" },
    hugePageCollapsed: { counters: ["hugePagesCollapsed"], category: "hypervisorTables" },
    pmlDrain: { counters: ["pmlDrains"], category: "hypervisorDirtyLog" },
    pmlEntry: { counters: ["pmlAppends"], category: "hypervisorDirtyLog" },
    dirtyRingPush: { counters: ["dirtyRingPushes"], category: "hypervisorDirtyLog" },
    dirtyRingFull: { counters: ["dirtyRingFulls"], category: "hypervisorDirtyLog" },
    dirtyPageReported: { counters: ["dirtyPagesReported"], category: "hypervisorDirtyLog" },
    dirtyEntryScanned: { counters: ["dirtyScanEntries"], category: "hypervisorDirtyLog" },
  },
  host: {
    fault: { counters: ["hostFaults"], category: "host" },
    majorFault: { counters: ["hostMajorFaults"], category: "host" },
    swapOut: { counters: ["hostSwapOuts"], category: "host" },
    frameShared: { counters: ["framesShared"], category: "host" },
    shareBroken: { counters: ["sharesBroken"], category: "host" },
    shareReused: { counters: ["sharesReused"], category: "host" },
  },
} as const satisfies Record<string, Record<string, Event>>;

export type Section = keyof typeof events;
export const sections = Object.keys(events) as Section[];

/** Prices of a walk: per reference where its line was, or flat where the preset has no data caches. */
export const walkPrices = [
  "reference",
  "referenceL1",
  "referenceL2",
  "referenceLlc",
  "referenceDram",
  "referenceRemote",
  "entryUpdated",
] as const;
export type WalkPrice = (typeof walkPrices)[number];

/** Prices of an exit: the switch itself, what the guest lost of its caches, the handler's fixed part. */
export const exitPrices = ["direct", "indirect", "handler"] as const;
export type ExitPrice = (typeof exitPrices)[number];

/** All prices in cycles. Where each comes from stays in the file (see `cost-file.ts`). */
export interface CostModel {
  readonly name: string;
  readonly title: string;
  readonly walk: Readonly<Record<WalkPrice, number>>;
  readonly exits: Readonly<Record<ExitCause, Readonly<Record<ExitPrice, number>>>>;
  readonly events: {
    readonly [S in Section]: Readonly<Record<keyof (typeof events)[S], number>>;
  };
}

/** The cycles of a region by cause, in whole cycles. */
export function price(
  counts: Readonly<Ledger>,
  computeCyclesPerOp: number,
  cost: CostModel,
): Cycles {
  const cycles = Object.fromEntries(cycleCategories.map((name) => [name, 0])) as Record<
    CycleCategory,
    number
  >;
  cycles.guestCompute = counts.computeOps * computeCyclesPerOp;
  for (const section of sections) {
    const prices: Readonly<Record<string, number>> = cost.events[section];
    for (const [name, event] of Object.entries<Event>(events[section])) {
      const count = event.counters.reduce((sum, counter) => sum + counts[counter], 0);
      cycles[event.category] += count * (prices[name] ?? Number.NaN);
    }
  }
  const [guest, nested] = walkCycles(counts, cost);
  cycles.walkGuest += guest;
  cycles.walkNested += nested;
  cycles.guestAccess += dataMissCycles(counts, cost);
  cycles.walkUpdates += (counts.accessedBitsSet + counts.dirtyBitsSet) * cost.walk.entryUpdated;
  for (const cause of exitCauses) {
    const exits = counts[`exits${cause}`];
    cycles[`exitDirect${cause}`] += exits * cost.exits[cause].direct;
    cycles[`exitIndirect${cause}`] += exits * cost.exits[cause].indirect;
    cycles.hypervisorHandlers += exits * cost.exits[cause].handler;
  }
  for (const name of cycleCategories) cycles[name] = Math.round(cycles[name]);
  return cycles;
}

/** Sum over all causes. */
export function totalCycles(cycles: Cycles): number {
  return cycleCategories.reduce((sum, name) => sum + cycles[name], 0);
}

/** Cycles of lines by where they were. */
function lineCycles(lines: readonly number[], { walk }: CostModel): number {
  const { referenceL1, referenceL2, referenceLlc, referenceDram, referenceRemote } = walk;
  const prices = [referenceL1, referenceL2, referenceLlc, referenceDram, referenceRemote];
  return lines.reduce((sum, count, place) => sum + count * (prices[place] ?? Number.NaN), 0);
}

/** Cycles of the walks' references, guest dimension and nested one: flat where the preset has no data caches. */
function walkCycles(counts: Readonly<Ledger>, cost: CostModel): readonly [number, number] {
  const guest = places(counts, "guestReference");
  const nested = places(counts, "nestedReference");
  if ([...guest, ...nested].every((count) => count === 0)) {
    const { reference } = cost.walk;
    return [counts.walkReferencesGuest * reference, counts.walkReferencesNested * reference];
  }
  return [lineCycles(guest, cost), lineCycles(nested, cost)];
}

/** The program's lines beyond its first-level cache, whose hits are in the price of an access. */
function dataMissCycles(counts: Readonly<Ledger>, cost: CostModel): number {
  const [, ...beyond] = places(counts, "data");
  return lineCycles([0, ...beyond], cost);
}

function places(
  counts: Readonly<Ledger>,
  what: "guestReference" | "nestedReference" | "data",
): readonly number[] {
  return [
    counts[`${what}L1Hits`],
    counts[`${what}L2Hits`],
    counts[`${what}LlcHits`],
    counts[`${what}Dram`],
    counts[`${what}Remote`],
  ];
}
