import { bgAge, bgFrame, bgRaw, dropBig, findBig, hasBig } from "./big.ts";
import { C_ASSIST, C_L1, C_MISS, C_STLB, c } from "./counts.ts";
import { walk } from "./descend.ts";
import { fillL1, fillStlb, setBig, setStlb, updateBig, updateStlb } from "./fill.ts";
import { hint, l1Age, l1Frame, l1Mask, l1Meta } from "./l1-ways.ts";
import { bankFor, dropDuplicate, dropL1, findL1 } from "./l1.ts";
import { allows, guestShift, kindOf, orderOf, orderShift } from "./rights.ts";
import { hasLarge } from "./sizes.ts";
import { CTX, LAST, OVERLAP, SUM, TICK, TICK_PWC, UNIFORM, W_FRAME, W_META, s } from "./state.ts";
import { hasStlb, stFrame, stMask, stMeta, touchStlb } from "./stlb-ways.ts";
import { dropStlb, findStlb } from "./stlb.ts";

/** Looks below L1 and fills the walk's result `s[W_*]`, from the STLB or by walking. 0 when stopped. */
function missL1(vLow: number, vHigh: number, tagHigh: number, kind: number): number {
  const v = hasStlb ? findStlb(vLow, tagHigh) | 0 : 0;
  if (v !== 0) {
    const meta = stMeta[v]!;
    touchStlb(v, (vLow >>> orderOf(meta)) & stMask);
    if (allows(meta, kind)) {
      s[W_FRAME] = stFrame[v]!;
      s[W_META] = meta;
    } else {
      if (walk(vLow, vHigh, kind) === 0) return 0;
      c[C_ASSIST] = (c[C_ASSIST]! + 1) | 0;
      updateStlb(v, vLow, vHigh);
    }
    c[C_STLB] = (c[C_STLB]! + 1) | 0;
    return 1;
  }
  const g = hasBig && hasLarge() ? findBig(vLow, tagHigh) | 0 : -1;
  if (g >= 0) {
    bgAge[g] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
    if (allows(bgRaw[g]!, kind)) {
      s[W_FRAME] = bgFrame[g]!;
      s[W_META] = bgRaw[g]! | (18 << orderShift) | (18 << guestShift);
    } else {
      if (walk(vLow, vHigh, kind) === 0) return 0;
      c[C_ASSIST] = c[C_ASSIST]! + 1;
      updateBig(g, vLow, vHigh);
    }
    c[C_STLB] = c[C_STLB]! + 1;
    return 1;
  }
  if (walk(vLow, vHigh, kind) === 0) return 0;
  c[C_MISS] = (c[C_MISS]! + 1) | 0;
  fillStlb(vLow, vHigh);
  return 1;
}

/**
 * Every page size and port, global entries, rights that a cached entry lacks. Returns the L1 way used,
 * -1 when no bank holds the page, -2 when stopped.
 */
function general(vLow: number, vHigh: number, code: number, kind: number): number {
  const tagHigh = s[CTX]! | vHigh;
  const w = findL1(vLow, tagHigh, code) | 0;
  if (w < 0) {
    if (missL1(vLow, vHigh, tagHigh, kind) === 0) return -2;
    return fillL1(vLow, vHigh, code) | 0;
  }
  if (!allows(l1Meta[w]!, kind)) {
    if (walk(vLow, vHigh, kind) === 0) return -2;
    c[C_ASSIST] = (c[C_ASSIST]! + 1) | 0;
    c[C_L1] = (c[C_L1]! + 1) | 0;
    return updateL1(w, vLow, vHigh, tagHigh, code) | 0;
  }
  c[C_L1] = (c[C_L1]! + 1) | 0;
  s[W_FRAME] = l1Frame[w]!;
  return w;
}

/** Everything but a plain hit, as `general` returns; also enters the hint. */
export function slow(vLow: number, vHigh: number, hw: number): number {
  const code = (hw >>> 30) & 1;
  const w = general(vLow, vHigh, code, kindOf(hw)) | 0;
  if (w === -2) return -2;
  s[SUM] = (s[SUM]! + s[W_FRAME]!) | 0;
  if (w === -1) {
    s[LAST] = s[W_FRAME]! + (vLow & ((1 << orderOf(s[W_META]!)) - 1));
    return -1;
  }
  l1Age[w] = s[TICK] = (s[TICK]! + 1) | 0;
  if (s[OVERLAP] === 0 || l1Mask[w] === -1) {
    const key = vLow >>> hintShift();
    hint[((key ^ (key >>> 10)) & 1023) | (code << 10)] = w;
  }
  return w;
}

/** A walk's result goes into the STLB and into L1 as whatever it is; the L1 way. */
export function fillBoth(vLow: number, vHigh: number): number {
  fillStlb(vLow, vHigh);
  return fillL1(vLow, vHigh, 0) | 0;
}

function updateL1(w: number, vLow: number, vHigh: number, tagHigh: number, code: number): number {
  const order = orderOf(s[W_META]!);
  const v = hasStlb ? findStlb(vLow, tagHigh) | 0 : 0;
  if (v !== 0) {
    if (orderOf(stMeta[v]!) === order) setStlb(v, vHigh);
    else dropStlb(v);
  }
  const g = v === 0 && hasBig && hasLarge() ? findBig(vLow, tagHigh) | 0 : -1;
  if (g >= 0) {
    if (order === 18) setBig(g, vHigh);
    else dropBig(g);
  }
  dropL1(w);
  // The page may be there already, as a page of the size that the walk found.
  dropDuplicate(bankFor(code, order), vLow, tagHigh);
  return fillL1(vLow, vHigh, code) | 0;
}

/** Hints go by numbers of large pages while there are no others. */
export function hintShift(): number {
  return s[UNIFORM] === 9 ? 9 : 0;
}
