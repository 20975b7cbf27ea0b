import { type CounterName, type Ledger, walkLengthMax } from "../counters.ts";
import { room } from "./given.ts";

/** What a unit counts: the ledger's columns, in the order of the batch counters `c`. */
const columns = [
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
  "pmlAppends",
  "stores",
  "fetches",
  "flushesPage",
  "flushesContext",
  "flushesLinear",
  "flushesNested",
  "referenceL1Hits",
  "referenceL2Hits",
  "referenceLlcHits",
  "referenceDram",
  "referenceRemote",
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
] as const satisfies readonly CounterName[];

const place = (name: (typeof columns)[number]): number => columns.indexOf(name);

/** Indices into the batch counters. */
export const C_L1 = place("l1Hits");
export const C_STLB = place("stlbHits");
export const C_MISS = place("stlbMisses");
export const C_ASSIST = place("dirtyAssists");
export const C_WALKS = place("walks");
export const C_REF_GUEST = place("walkReferencesGuest");
export const C_REF_NESTED = place("walkReferencesNested");
/** Of levels 2 to 5, one after another. */
export const C_PWC = place("pwcHitsLevel2");
export const C_NTLB_HIT = place("nestedTlbHits");
export const C_NTLB_MISS = place("nestedTlbMisses");
export const C_NPWC = place("nestedPwcHitsLevel2");
export const C_A = place("accessedBitsSet");
export const C_D = place("dirtyBitsSet");
export const C_PML = place("pmlAppends");
export const C_STORES = place("stores");
export const C_FETCHES = place("fetches");
export const C_PAGE = place("flushesPage");
export const C_CONTEXT = place("flushesContext");
export const C_LINEAR = place("flushesLinear");
export const C_NESTED_FLUSH = place("flushesNested");
/** Lines of walk references found in L1, L2, the last level, DRAM, another node's, one after another. */
export const C_LINES = place("referenceL1Hits");
/** The same by dimension. */
export const C_GUEST_LINES = place("guestReferenceL1Hits");
export const C_NESTED_LINES = place("nestedReferenceL1Hits");
const countersLength = columns.length;

export const c = room.int32(countersLength);
export const totals = new Float64Array(countersLength);
export const lengths = room.int32(walkLengthMax + 1);
export const lengthTotals = new Float64Array(walkLengthMax + 1);

/** Moves the int32 counts into the totals before they can overflow. */
export function spill(): void {
  for (let i = 0; i < countersLength; i++) {
    totals[i] = totals[i]! + c[i]!;
    c[i] = 0;
  }
  for (let i = 0; i <= walkLengthMax; i++) {
    lengthTotals[i] = lengthTotals[i]! + lengths[i]!;
    lengths[i] = 0;
  }
}

export function count(index: number): void {
  totals[index] = totals[index]! + 1;
}

/** Adds what was counted since the last call. */
export function collect(ledger: Ledger, walkLengths: Float64Array): void {
  spill();
  ledger.accesses += totals[C_L1]! + totals[C_STLB]! + totals[C_MISS]!;
  columns.forEach((name, i) => (ledger[name] += totals[i]!));
  totals.fill(0);
  for (let i = 0; i <= walkLengthMax; i++) {
    walkLengths[i] = walkLengths[i]! + lengthTotals[i]!;
    lengthTotals[i] = 0;
  }
}
