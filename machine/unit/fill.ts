import { bgAge, bgFrame, bgHigh, bgLow, bgRaw, big, dropBig, findBig, hasBig } from "./big.ts";
import { contextOf, isReplaced } from "./contexts.ts";
import {
  bankBase,
  bankMask,
  bankOrder,
  bankWays,
  hint,
  l1Deny,
  l1Entries,
  l1Frame,
  l1High,
  l1Low,
  l1Mask,
  l1Meta,
} from "./l1-ways.ts";
import { bankFor, dropL1, oldestL1 } from "./l1.ts";
import { DENY, META_STACK, RAW, RAW_GLOBAL, orderOf } from "./rights.ts";
import { noteFragment, noteSize } from "./sizes.ts";
import {
  CTX,
  GLOBALS_LIVE,
  OVERLAP,
  SIZES,
  TICK_PWC,
  WRITE_PROTECT,
  W_FRAME,
  W_META,
  s,
} from "./state.ts";
import {
  hasStlb,
  hasStlb2m,
  stBucket,
  stChain,
  stFrame,
  stHead,
  stHigh,
  stHome,
  stLow,
  stMask,
  stMeta,
  stPrevious,
  stWays,
} from "./stlb-ways.ts";
import { bucketOf, dropStlb, findStlbOf, unchainStlb } from "./stlb.ts";

/** Enters what a walk or the STLB gave (or the fragment that a bank can hold) and returns its way, or -1. */
export function fillL1(vLow: number, vHigh: number, code: number): number {
  const meta = s[W_META]!;
  const order = orderOf(meta);
  const b = bankFor(code, order);
  const first = code === 0 ? 0 : 3;
  if (b < first) return -1;
  const own = bankOrder[b]!;
  const ways = bankWays[b]!;
  const tag = (vLow >>> own) << own;
  const base = (bankBase[b]! + ((vLow >>> own) & bankMask[b]!) * ways) | 0;
  if ((meta & RAW_GLOBAL) !== 0) {
    for (let v = base; v < base + ways; v++) {
      if (l1Low[v] === tag && isReplaced(l1High[v]!, vHigh)) dropL1(v);
    }
  }
  const w = oldestL1(base, ways) | 0;
  l1Low[w] = tag;
  l1High[w] = contextOf(meta) | vHigh;
  noteFragment(vLow, meta, own);
  // The fragment's first frame: the page's, plus what lies between the two.
  l1Frame[w] = s[W_FRAME]! + (tag & ((1 << order) - 1));
  l1Meta[w] = meta;
  l1Deny[w] = DENY[(meta & RAW) | s[WRITE_PROTECT]!]!;
  noteSize(own, vLow >>> 9);
  const sizes = s[SIZES]!;
  if (sizes > 2 && sizes !== 4 && s[OVERLAP] === 0 && (own !== 0 || (meta & RAW_GLOBAL) !== 0)) {
    markOverlap(w, first);
  }
  if ((meta & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
  return w;
}

/** A new entry, large or global: does one of another size, whatever its context, cover part of it? */
function markOverlap(w: number, first: number): void {
  for (let b = first, last = first === 0 ? 3 : 5; b < last; b++) {
    const end = bankBase[b]! + (bankMask[b]! + 1) * bankWays[b]!;
    for (let v = bankBase[b]!; v < end; v++) {
      const mask = l1Mask[v]! & l1Mask[w]!;
      if (l1Mask[v] === l1Mask[w] || l1High[v] === 0) continue;
      if (((l1Low[v]! ^ l1Low[w]!) & mask) === 0) hintSmallOnly();
    }
  }
}

/** Every way belongs to pages of one size, so no hint leads to a large page from here on. */
function hintSmallOnly(): void {
  s[OVERLAP] = 1;
  hint.fill(l1Entries);
}

export function fillStlb(vLow: number, vHigh: number): void {
  const meta = s[W_META]!;
  const order = orderOf(meta);
  if (order === 18) {
    if (hasBig) fillBig(vLow, vHigh);
    return;
  }
  if (!hasStlb || (order === 9 && !hasStlb2m)) return;
  const key = vLow >>> order;
  const tag = key << order;
  const set = key & stMask;
  if ((meta & RAW_GLOBAL) !== 0) dropReplaced(tag, vHigh, order, 0);
  const v = stPrevious[stHead[set]!]!;
  unchainStlb(v);
  const bucket = bucketOf(key);
  stChain[v] = stBucket[bucket]!;
  stBucket[bucket] = v;
  stHome[v] = bucket + 1;
  stLow[v] = tag;
  stHigh[v] = contextOf(meta) | vHigh;
  stFrame[v] = s[W_FRAME]!;
  stMeta[v] = meta;
  noteFragment(vLow, meta, order);
  noteSize(order, vLow >>> 9);
  if ((meta & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
  stHead[set] = v;
}

function dropReplaced(tag: number, vHigh: number, order: number, except: number): void {
  const base = 1 + ((tag >>> order) & stMask) * stWays;
  for (let v = base; v < base + stWays; v++) {
    if (v === except || stLow[v] !== tag || orderOf(stMeta[v]!) !== order) continue;
    if (isReplaced(stHigh[v]!, vHigh)) dropStlb(v);
  }
}

function fillBig(vLow: number, vHigh: number): void {
  const base = ((vLow >>> 18) & (big.sets - 1)) * big.ways;
  const raw = s[W_META]! & (RAW | META_STACK);
  if ((raw & RAW_GLOBAL) !== 0) dropReplacedBig(vLow, vHigh, -1);
  let v = base;
  for (let w = base; w < base + big.ways; w++) if (bgAge[w]! < bgAge[v]!) v = w;
  bgLow[v] = (vLow >>> 18) << 18;
  bgHigh[v] = contextOf(raw) | vHigh;
  bgFrame[v] = s[W_FRAME]!;
  bgRaw[v] = raw;
  bgAge[v] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
  noteSize(18, vLow >>> 9);
  if ((raw & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
}

/** A walk replaced what entry `v` says; a page of another size takes another entry. */
export function updateStlb(v: number, vLow: number, vHigh: number): void {
  if (orderOf(stMeta[v]!) === orderOf(s[W_META]!)) {
    setStlb(v, vHigh);
  } else {
    dropStlb(v);
    refillStlb(vLow, vHigh);
  }
}

/** As `fillStlb`, where the page may be there already: it was found as a page of another size. */
function refillStlb(vLow: number, vHigh: number): void {
  const order = orderOf(s[W_META]!);
  const tagHigh = s[CTX]! | vHigh;
  if (order === 18) {
    const g = hasBig ? findBig(vLow, tagHigh) | 0 : -1;
    if (g >= 0) dropBig(g);
  } else if (hasStlb) {
    const v = findStlbOf((vLow >>> order) << order, tagHigh, order) | 0;
    if (v !== 0) dropStlb(v);
  }
  fillStlb(vLow, vHigh);
}

/** The walk's result for an entry that keeps its page; G may have changed. */
export function setStlb(v: number, vHigh: number): void {
  const meta = s[W_META]!;
  if ((meta & RAW_GLOBAL) !== 0) dropReplaced(stLow[v]!, vHigh, orderOf(meta), v);
  stHigh[v] = contextOf(meta) | vHigh;
  stFrame[v] = s[W_FRAME]!;
  stMeta[v] = meta;
  noteFragment(stLow[v]!, meta, orderOf(meta));
  if ((meta & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
}

export function updateBig(g: number, vLow: number, vHigh: number): void {
  if (orderOf(s[W_META]!) === 18) {
    setBig(g, vHigh);
  } else {
    dropBig(g);
    refillStlb(vLow, vHigh);
  }
}

export function setBig(g: number, vHigh: number): void {
  const raw = s[W_META]! & (RAW | META_STACK);
  if ((raw & RAW_GLOBAL) !== 0) dropReplacedBig(bgLow[g]!, vHigh, g);
  bgHigh[g] = contextOf(raw) | vHigh;
  bgFrame[g] = s[W_FRAME]!;
  bgRaw[g] = raw;
  if ((raw & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
}

function dropReplacedBig(vLow: number, vHigh: number, except: number): void {
  for (let g = 0; g < bgHigh.length; g++) {
    if (g === except || bgLow[g] !== (vLow >>> 18) << 18) continue;
    if (isReplaced(bgHigh[g]!, vHigh)) dropBig(g);
  }
}
