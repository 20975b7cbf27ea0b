/**
 * The ledger: every event that a run counts, as one flat record.
 *
 * Silicon and hypervisor only increment; nothing here knows cycles (prices come afterwards, from a cost
 * file). The lists below are the only ones, joined once: CSV columns and types derive from them. A measured region is
 * `subtract(now, then)`, so warm-up needs no flag.
 */

/** What silicon counts, whoever runs on it. */
const siliconCounters = [
  // What the guest executed.
  "accesses",
  "stores",
  "fetches",
  "cr3Writes",
  "cr3WritesKept",
  "invlpgs",
  "invpcids",
  "controlRegisterWrites",
  // VMFUNC: another view of the guest's memory, taken without an exit.
  "viewSwitches",
  "guestPageFaults",
  // Where translations came from: accesses = l1Hits + stlbHits + stlbMisses + emulatedStores.
  "l1Hits",
  "stlbHits",
  "stlbMisses",
  "dirtyAssists",
  "walks",
  "walkReferencesGuest",
  "walkReferencesNested",
  "pwcHitsLevel2",
  "pwcHitsLevel3",
  "pwcHitsLevel4",
  "pwcHitsLevel5",
  "nestedTlbHits",
  "nestedTlbMisses",
  "nestedPwcHitsLevel2",
  "nestedPwcHitsLevel3",
  "nestedPwcHitsLevel4",
  "nestedPwcHitsLevel5",
  "accessedBitsSet",
  "dirtyBitsSet",
  // Where the lines of walk references were, when the preset has a data-cache model: three caches, the DRAM of the
  // processor's own node, that of another one.
  "referenceL1Hits",
  "referenceL2Hits",
  "referenceLlcHits",
  "referenceDram",
  "referenceRemote",
  // The same by dimension: guest (or shadow) tables, nested tables.
  "guestReferenceL1Hits",
  "guestReferenceL2Hits",
  "guestReferenceLlcHits",
  "guestReferenceDram",
  "guestReferenceRemote",
  "nestedReferenceL1Hits",
  "nestedReferenceL2Hits",
  "nestedReferenceLlcHits",
  "nestedReferenceDram",
  "nestedReferenceRemote",
  // Where the program's own lines were, when the preset lets them through its data caches.
  "dataL1Hits",
  "dataL2Hits",
  "dataLlcHits",
  "dataDram",
  "dataRemote",
  // Invalidations by scope.
  "flushesPage",
  "flushesContext",
  "flushesLinear",
  "flushesNested",
  // VM exits by reason; `exits` is their sum.
  "exits",
  "exitsPageFault",
  "exitsEptViolation",
  "exitsCr3Write",
  "exitsCr3Read",
  "exitsInvlpg",
  "exitsInvpcid",
  "exitsCr0Write",
  "exitsCr4Write",
  "exitsCpuid",
  "exitsPmlFull",
  // A hypervisor that is a guest itself: VMRUN, VMLAUNCH, VMRESUME; and what else it executes around its own guest.
  "exitsVmrun",
  "exitsHypervisorInstruction",
  "exitsEptMisconfiguration",
  // Exits that memory has no part in: interrupts, I/O ports, MSRs, HLT.
  "exitsOther",
  // Not among `exits`: a deprivileged guest leaves by an exception of its hypervisor's kernel.
  "softwareExits",
  "softwareExitsPageFault",
] as const;

/** What a hypervisor counts: why a #PF or violation exit was taken, and what the answer cost. */
const hypervisorCounters = [
  "hiddenFaults",
  "guestFaultsReflected",
  "emulatedStores",
  "softwareWalks",
  "faultsFixed",
  "faultsSpurious",
  "faultsFast",
  "faultsEmulated",
  // Tables of a nested tree; only KVM's TDP MMU counts them.
  "nestedTablesMade",
  "shadowPagesAllocated",
  "shadowPagesFound",
  "shadowPagesZapped",
  "shadowPagesFlooded",
  "shadowPagesRecycled",
  "shadowPagesUnsynced",
  "shadowPagesSynced",
  "entriesFilled",
  "entriesPrefetched",
  "entriesDropped",
  "entriesWriteProtected",
  "entriesDirtyCleared",
  "emulatedPteWrites",
  "neighboursUnmapped",
  "hostFaults",
  "hostMajorFaults",
  "hostSwapOuts",
  "framesShared",
  "sharesBroken",
  "sharesReused",
  "framesScanned",
  "framesMerged",
  // Flushes of cached translations that reach another processor than the one that asks, once however many those are.
  "remoteFlushes",
  // Processors that run a vCPU, interrupted to flush or to empty their log: by a vCPU that exited all others, by a
  // thread of the host's all. Both are counted in hypervisor/flush.ts.
  "remoteInterrupts",
  "pmlAppends",
  "pmlDrains",
  "dirtyRingPushes",
  // Returns to user space because a ring is full; the VM exit before it is counted under its own reason.
  "dirtyRingFulls",
  "dirtyPagesReported",
  "dirtyScanEntries",
  "hugePagesSplit",
  "hugePagesCollapsed",
  // Nested virtualization: of all exits, all taken by L0, those that L1's own instructions caused; of those that L2
  // caused, those that L0 reflected into L1 (L1's exits) and those that it answered itself.
  "l1InstructionExits",
  "reflectedExits",
  "l2ExitsHandled",
] as const;

/** What the guest's kernel counts: its own work, the denominator of every slowdown. */
const guestCounters = [
  "syscalls",
  "contextSwitches",
  "faultHandlerRuns",
  "pteStores",
  "pteLoads",
  "pagesCopied",
  "pagesZeroed",
  "forks",
  "execs",
  "processExits",
  "mmaps",
  "munmaps",
  "mprotects",
  "computeOps",
] as const;

/** The hypervisor's gauges: the value now, not a count. `subtract` keeps the later one. */
const gaugeNames = [
  "tableBytesPeak",
  "shadowPagesUnsyncNow",
  "leafEntries4kNow",
  "leafEntries2mNow",
  "framesSavedNow",
  "framesSavedPeak",
] as const;

export const counterNames = [
  ...siliconCounters,
  ...hypervisorCounters,
  ...guestCounters,
  ...gaugeNames,
] as const;

export type CounterName = (typeof counterNames)[number];
export type Ledger = Record<CounterName, number>;

const gauges: ReadonlySet<CounterName> = new Set<CounterName>(gaugeNames);

export function createLedger(): Ledger {
  // In list order, so that every ledger has one hidden class and one column order. Made by a loop of stores to new
  // names, V8 would keep it as a hash table: 20 ns per increment instead of 1, a sixth of a trapped PTE store.
  return Object.fromEntries(counterNames.map((name) => [name, 0])) as Ledger;
}

/** Adds `from` into `into`; a gauge takes the larger. */
export function addInto(into: Ledger, from: Readonly<Ledger>): void {
  for (const name of counterNames) {
    into[name] = gauges.has(name) ? Math.max(into[name], from[name]) : into[name] + from[name];
  }
}

/** Adds what another level's hypervisor did for the same guest; how that was brought about is not its count. */
export function addHypervisorWork(into: Ledger, from: Readonly<Ledger>): void {
  for (const name of hypervisorCounters) into[name] += from[name];
}

/** What happened between two snapshots. */
export function subtract(now: Readonly<Ledger>, then: Readonly<Ledger>): Ledger {
  const difference = createLedger();
  for (const name of counterNames) {
    difference[name] = gauges.has(name) ? now[name] : now[name] - then[name];
  }
  return difference;
}

/** Longest walk that the histogram has a bin for: 5-on-5 costs 35, one more for a repeated A/D check. */
export const walkLengthMax = 63;
