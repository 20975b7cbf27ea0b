import { HIGH_MASK } from "../mmu.ts";
import { C_STLB, C_WALKS, c } from "./counts.ts";
import { walk } from "./descend.ts";
import { enterOneSize } from "./enter-one-size.inline.ts";
import { l1Age, l1Deny, l1Frame, l1High, l1Low, l1Meta } from "./l1-ways.ts";
import { findL1, oldestL1 } from "./l1.ts";
import { aheadMax, lookAhead } from "./look-ahead.ts";
import { oldestOfFour } from "./oldest-of-four.inline.ts";
import { DENY, RAW, RAW_GLOBAL } from "./rights.ts";
import { d2Base, d2Mask, d2Ways, d4Mask, d4Ways } from "./sizes.ts";
import { AHEAD, WALKS_BEFORE, WRITE_PROTECT, s } from "./state.ts";
import {
  stBucket,
  stBucketBits,
  stBuckets,
  stChain,
  stFrame,
  stHigh,
  stLow,
  stMask,
  stMeta,
  stSetBits,
  touchStlb,
} from "./stlb-ways.ts";

declare let hits: number;
declare const k: number;

/**
 * A load or store of data whose page can be cached in one size only: L1, STLB and walk by hand, so that nothing is
 * searched twice (native uniform 2x). Gives the L1 way used, -2 when stopped, or -1: what is not settled here is left to
 * `slow`, which gives the same.
 */
export function oneSize(
  hw: number,
  vLow: number,
  order: number,
  context: number,
  globals: number,
  end: number,
): number {
  const vHigh = (hw & HIGH_MASK) >>> 12;
  const tagHigh = context | vHigh;
  const globalHigh = globals | vHigh;
  const page = vLow >>> order;
  const tag = page << order;
  const ways = order === 0 ? d4Ways : d2Ways;
  const base =
    order === 0
      ? Math.imul(page & d4Mask, d4Ways)
      : (d2Base + Math.imul(page & d2Mask, d2Ways)) | 0;
  let isLikely = true;
  let w = base;
  if (ways === 4) {
    isLikely =
      l1Low[base] === tag ||
      l1Low[base + 1] === tag ||
      l1Low[base + 2] === tag ||
      l1Low[base + 3] === tag;
    w = oldestOfFour(l1Age, base);
  } else {
    w = oldestL1(base, ways) | 0;
  }
  const found = isLikely ? findL1(vLow, tagHigh, 0) | 0 : -1;
  if (found >= 0) {
    // The hint was wrong, or a right is missing.
    if ((hw & l1Deny[found]!) !== 0) return -1;
    hits = (hits + 1) | 0;
    return found;
  }
  const bucket = (page ^ ((page >>> stBucketBits) << stSetBits)) & (stBuckets - 1);
  let v = stBucket[bucket]!;
  while (v !== 0) {
    if (stLow[v] === tag && (stHigh[v] === tagHigh || stHigh[v] === globalHigh)) break;
    v = stChain[v]!;
  }
  if (v !== 0) {
    const meta = stMeta[v]!;
    const deny = DENY[(meta & RAW) | s[WRITE_PROTECT]!]!;
    if ((meta & RAW_GLOBAL) !== 0 || (hw & deny) !== 0) return -1;
    touchStlb(v, page & stMask);
    c[C_STLB] = (c[C_STLB]! + 1) | 0;
    l1Frame[w] = stFrame[v]!;
    l1Low[w] = tag;
    l1High[w] = tagHigh;
    l1Meta[w] = meta;
    l1Deny[w] = deny;
    return w;
  }
  if (k >= s[AHEAD]!) {
    // Worth it where every other access walks or more.
    const walks = c[C_WALKS]!;
    const isDense = walks - s[WALKS_BEFORE]! >= aheadMax / 2;
    s[WALKS_BEFORE] = walks;
    const to = k + aheadMax < end ? (k + aheadMax) | 0 : end;
    s[AHEAD] = to;
    // Tables of large pages are small enough for the host's caches.
    if (isDense && order === 0) lookAhead(k, to);
  }
  if (walk(vLow, vHigh, hw >>> 29) === 0) return -2;
  w = enterOneSize(w, vLow, vHigh, tag, tagHigh, page, bucket, order);
  return w;
}
