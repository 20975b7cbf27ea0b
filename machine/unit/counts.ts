import { type Ledger, walkLengthMax } from "../counters.ts";
import { room } from "./given.ts";

/** Indices into the batch counters `c`. */
export const C_L1 = 0;
export const C_STLB = 1;
export const C_MISS = 2;
export const C_ASSIST = 3;
export const C_WALKS = 4;
export const C_REF_GUEST = 5;
export const C_REF_NESTED = 6;
export const C_PWC = 7; // 7..10 are levels 2..5
export const C_NTLB_HIT = 11;
export const C_NTLB_MISS = 12;
export const C_NPWC = 13; // 13..16 are levels 2..5
export const C_A = 17;
export const C_D = 18;
export const C_PML = 19;
export const C_STORES = 20;
export const C_FETCHES = 21;
export const C_PAGE = 22;
export const C_CONTEXT = 23;
export const C_LINEAR = 24;
export const C_NESTED_FLUSH = 25;
/** 26..29: lines of walk references found in L1, L2, the last level, DRAM. */
export const C_LINES = 26;
const countersLength = 30;

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
  const take = (index: number): number => {
    const value = totals[index]!;
    totals[index] = 0;
    return value;
  };
  const done = totals[C_L1]! + totals[C_STLB]! + totals[C_MISS]!;
  ledger.accesses += done;
  ledger.stores += take(C_STORES);
  ledger.fetches += take(C_FETCHES);
  ledger.l1Hits += take(C_L1);
  ledger.stlbHits += take(C_STLB);
  ledger.stlbMisses += take(C_MISS);
  ledger.dirtyAssists += take(C_ASSIST);
  ledger.walks += take(C_WALKS);
  ledger.walkReferencesGuest += take(C_REF_GUEST);
  ledger.walkReferencesNested += take(C_REF_NESTED);
  ledger.pwcHitsLevel2 += take(C_PWC);
  ledger.pwcHitsLevel3 += take(C_PWC + 1);
  ledger.pwcHitsLevel4 += take(C_PWC + 2);
  ledger.pwcHitsLevel5 += take(C_PWC + 3);
  ledger.nestedTlbHits += take(C_NTLB_HIT);
  ledger.nestedTlbMisses += take(C_NTLB_MISS);
  ledger.nestedPwcHitsLevel2 += take(C_NPWC);
  ledger.nestedPwcHitsLevel3 += take(C_NPWC + 1);
  ledger.nestedPwcHitsLevel4 += take(C_NPWC + 2);
  ledger.nestedPwcHitsLevel5 += take(C_NPWC + 3);
  ledger.referenceL1Hits += take(C_LINES);
  ledger.referenceL2Hits += take(C_LINES + 1);
  ledger.referenceLlcHits += take(C_LINES + 2);
  ledger.referenceDram += take(C_LINES + 3);
  ledger.accessedBitsSet += take(C_A);
  ledger.dirtyBitsSet += take(C_D);
  ledger.pmlAppends += take(C_PML);
  ledger.flushesPage += take(C_PAGE);
  ledger.flushesContext += take(C_CONTEXT);
  ledger.flushesLinear += take(C_LINEAR);
  ledger.flushesNested += take(C_NESTED_FLUSH);
  for (let i = 0; i <= walkLengthMax; i++) {
    walkLengths[i] = walkLengths[i]! + lengthTotals[i]!;
    lengthTotals[i] = 0;
  }
}
