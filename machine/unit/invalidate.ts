import type { Gfn, Vpn } from "../address.ts";
import { bgAge, bgHigh, bgLow, dropBig } from "./big.ts";
import { contexts, inEachView, intern, isAlone, keyOf, rename } from "./contexts.ts";
import {
  bankBase,
  bankMask,
  bankOrder,
  bankSize,
  bankWays,
  l1Entries,
  l1High,
  l1Low,
  l1Meta,
} from "./l1-ways.ts";
import { dropL1 } from "./l1.ts";
import { dropNested, findNested, hasNtlb, ntBucket, ntOrder, unused } from "./nested-tlb.ts";
import { npAge, npBase, npEpoch, npMask, npTag, npWays } from "./nested-walk-cache.ts";
import { guestShift, orderOf } from "./rights.ts";
import { FIRST_BITS, FIRST_LOW, SECOND_BITS, SECOND_LOW } from "./shape.ts";
import { fragmentHash, fragments } from "./sizes.ts";
import {
  CTX,
  CTX_GLOBAL,
  EPOCH,
  FRAGMENTS_LIVE,
  KEPT_TABLE,
  NESTED_ROOT_FRAME,
  NESTED_SIZES,
  NESTED_UNIFORM,
  SIZES,
  s,
} from "./state.ts";
import { hasStlb, stBucket, stChain, stEntries, stHigh, stLow, stMeta } from "./stlb-ways.ts";
import { bucketOf, dropStlb } from "./stlb.ts";
import { VPN_HIGH } from "./tags.ts";
import { findPwc, pwAge, pwEntries, pwHigh } from "./walk-cache.ts";

const contextMask = ~VPN_HIGH;

/** Drops TLB entries that cover the page, or another piece of its large guest page, under either tag. */
export function dropPage(vpn: Vpn, contextA: number, contextB: number): void {
  const vLow = vpn | 0;
  const vHigh = (vpn / 0x1_0000_0000) & VPN_HIGH;
  const highA = contextA | vHigh;
  const highB = contextB | vHigh;
  const isPieced =
    s[FRAGMENTS_LIVE] !== 0 &&
    (fragments[fragmentHash(vLow, 9)]! | fragments[fragmentHash(vLow, 18)]!) !== 0;
  if (isPieced) dropPieces(vLow, highA, highB);
  else dropWhole(vLow, highA, highB);
  if ((s[SIZES]! & 4) === 0) return;
  for (let g = 0; g < bgHigh.length; g++) {
    if (bgLow[g] !== (vLow >>> 18) << 18) continue;
    if (bgHigh[g] === highA || bgHigh[g] === highB) dropBig(g);
  }
}

/** Every entry is looked at: pieces lie anywhere. */
function dropPieces(vLow: number, highA: number, highB: number): void {
  for (let w = 0; w < l1Entries; w++) {
    const covers = ((l1Low[w]! ^ vLow) & (-1 << (l1Meta[w]! >>> guestShift))) === 0;
    if (covers && (l1High[w] === highA || l1High[w] === highB)) dropL1(w);
  }
  for (let v = 1; hasStlb && v <= stEntries; v++) {
    const covers = ((stLow[v]! ^ vLow) & (-1 << (stMeta[v]! >>> guestShift))) === 0;
    if (covers && (stHigh[v] === highA || stHigh[v] === highB)) dropStlb(v);
  }
}

function dropInBank(b: number, vLow: number, highA: number, highB: number): void {
  const order = bankOrder[b]!;
  const tag = (vLow >>> order) << order;
  const base = bankBase[b]! + ((vLow >>> order) & bankMask[b]!) * bankWays[b]!;
  for (let w = base, end = base + bankWays[b]!; w < end; w++) {
    if (l1Low[w] === tag && (l1High[w] === highA || l1High[w] === highB)) dropL1(w);
  }
}

/** Entries of whole pages lie in one set per size (a third of the time of a run full of faults). */
function dropWhole(vLow: number, highA: number, highB: number): void {
  const sizes = s[SIZES]!;
  for (let b = 0; b < 5; b++) {
    if ((sizes & bankSize[b]!) !== 0) dropInBank(b, vLow, highA, highB);
  }
  if (!hasStlb) return;
  if ((sizes & 1) !== 0) dropInStlb(vLow, 0, highA, highB);
  if ((sizes & 2) !== 0) dropInStlb((vLow >>> 9) << 9, 9, highA, highB);
}

function dropInStlb(tag: number, order: number, highA: number, highB: number): void {
  let v = stBucket[bucketOf(tag >>> order)]!;
  while (v !== 0) {
    const after = stChain[v]!;
    if (stLow[v] === tag && orderOf(stMeta[v]!) === order) {
      if (stHigh[v] === highA || stHigh[v] === highB) dropStlb(v);
    }
    v = after;
  }
}

export function dropWalkCache(context: number): void {
  for (let v = 0; v < pwEntries; v++) {
    if ((pwHigh[v]! & contextMask) === context) {
      pwHigh[v] = 0;
      pwAge[v] = 0;
    }
  }
}

/** Drops what is tagged by `matches`; used where renaming would disturb the order of other entries. */
export function dropContexts(matches: (context: number) => boolean): void {
  for (let w = 0; w < l1Entries; w++) if (matches(l1High[w]! & contextMask)) dropL1(w);
  for (let v = 1; v <= stEntries; v++) {
    if (stHigh[v] !== 0 && matches(stHigh[v]! & contextMask)) dropStlb(v);
  }
  for (let v = 0; v < bgHigh.length; v++) {
    if (!matches(bgHigh[v]! & contextMask)) continue;
    bgHigh[v] = 0;
    bgAge[v] = 0;
  }
  for (let v = 0; v < pwEntries; v++) {
    if (!matches(pwHigh[v]! & contextMask)) continue;
    pwHigh[v] = 0;
    pwAge[v] = 0;
  }
}

export function dropContext(id: number): void {
  // Alone in the caches: renaming drops it at no cost.
  if (isAlone(id)) rename();
  else if (contexts.has(keyOf(id))) {
    const context = intern(keyOf(id));
    dropContexts((other) => other === context);
  }
}

/** Epochs of the views that guest-physical translations may be cached of, by their root, and the last one given. */
const epochs = new Map<number | null, number>();
let newest = 0;

/** Power-on, with the nested tables at `root`. */
export function forgetEpochs(root: number | null): void {
  epochs.clear();
  newest = 0;
  useEpochOf(root);
}

/** Guest-physical translations by the tables at `root` are used from here on; those of others stay. */
export function useEpochOf(root: number | null): void {
  const known = epochs.get(root);
  if (known === undefined) newest += 1;
  const epoch = known ?? newest;
  epochs.set(root, epoch);
  s[EPOCH] = epoch;
}

export function dropNestedAll(): void {
  epochs.clear();
  useEpochOf(s[NESTED_ROOT_FRAME]!);
  s[KEPT_TABLE] = 0;
  s[NESTED_SIZES] = 0;
  s[NESTED_UNIFORM] = 0;
  ntBucket.fill(0);
  ntOrder.fill(unused);
}

export function invalidateFault(vpn: Vpn): void {
  inEachView(() => dropCovering(vpn));
}

function dropCovering(vpn: Vpn): void {
  dropPage(vpn, s[CTX]!, s[CTX_GLOBAL]!);
  const vLow = vpn | 0;
  const vHigh = (vpn / 0x1_0000_0000) & VPN_HIGH;
  // Where there is nothing of a level, its cache has no ways.
  for (let level = 2; level <= 5; level++) {
    const shift = FIRST_LOW + FIRST_BITS * (level - 1);
    const v = findPwc(shift, vLow, vHigh) | 0;
    if (v < 0) continue;
    pwHigh[v] = 0;
    pwAge[v] = 0;
  }
}

export function invalidateViolation(gfn: Gfn, vpn: Vpn): void {
  dropCovering(vpn);
  s[KEPT_TABLE] = 0;
  const g = gfn | 0;
  if (hasNtlb) for (let v = findNested(g); v !== 0; v = findNested(g)) dropNested(v);
  for (let level = 2; level <= 5; level++) {
    const shift = SECOND_LOW + SECOND_BITS * (level - 1);
    const tag = shift > 31 ? 0 : g >>> shift;
    const ways = npWays[level]!;
    const base = npBase[level]! + (tag & npMask[level]!) * ways;
    for (let v = base; v < base + ways; v++) {
      if (npTag[v] !== tag || npEpoch[v] !== s[EPOCH]) continue;
      npEpoch[v] = 0;
      npAge[v] = 0;
    }
  }
}
