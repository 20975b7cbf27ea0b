import { FETCH, HIGH_MASK, STOP_NONE, STORE } from "../mmu.ts";
import { high, low } from "./columns.ts";
import {
  C_FETCHES,
  C_L1,
  C_MISS,
  C_REF_GUEST,
  C_REF_NESTED,
  C_STLB,
  C_STORES,
  C_WALKS,
  c,
  spill,
} from "./counts.ts";
import { walk } from "./descend.ts";
import { hint, l1Age, l1Deny, l1Frame, l1High, l1Low, l1Mask, l1Meta } from "./l1-ways.ts";
import { findL1, oldestL1 } from "./l1.ts";
import { aheadMax, lookAhead } from "./look-ahead.ts";
import { fillBoth, hintShift, slow } from "./miss.ts";
import { rerank } from "./recency.ts";
import { DENY, ORDER, RAW, RAW_GLOBAL, guestShift, orderShift } from "./rights.ts";
import {
  d2Base,
  d2Mask,
  d2Ways,
  d4Mask,
  d4Ways,
  isUniform4k,
  large,
  noteFragment,
  noteSize,
} from "./sizes.ts";
import {
  CTX,
  CTX_GLOBAL,
  LAST,
  OVERLAP,
  SIZES,
  STOP,
  SUM,
  TICK,
  UNIFORM,
  WRITE_PROTECT,
  W_FRAME,
  W_META,
  s,
} from "./state.ts";
import {
  stBucket,
  stBucketBits,
  stBuckets,
  stChain,
  stFrame,
  stHead,
  stHigh,
  stHome,
  stLow,
  stMask,
  stMeta,
  stPrevious,
  stSetBits,
  touchStlb,
} from "./stlb-ways.ts";
import { unchainStlb } from "./stlb.ts";

export function run(from: number, to: number): number {
  rerank();
  const end = to | 0;
  // Named before the loops: in nested ones V8 14.6 does not see that the closure's arrays are constants, and loads
  // address and length from the array's object at each access (L1 hit 11.4 to 6.8 ns, STLB hit 38 to 30).
  const state = s;
  const counts = c;
  const DENIALS = DENY;
  const l1Metas = l1Meta;
  const heads = stHead;
  const previous = stPrevious;
  const lows = low;
  const highs = high;
  const hints = hint;
  const masks = l1Mask;
  const tagsLow = l1Low;
  const tagsHigh = l1High;
  const denials = l1Deny;
  const ages = l1Age;
  const l1Frames = l1Frame;
  const buckets = stBucket;
  const chain = stChain;
  const homes = stHome;
  const stTags = stLow;
  const stTagsHigh = stHigh;
  const metas = stMeta;
  const stFrames = stFrame;
  const larges = large;
  const context = state[CTX]!;
  const globals = state[CTX_GLOBAL]!;
  let shift = hintShift();
  let tick = state[TICK]!;
  let sum = state[SUM]!;
  let hits = 0;
  let stores = 0;
  let fetches = 0;
  let k = from | 0;
  let lastWay = -1;
  /** Up to where `lookAhead` has been, or was found useless. */
  let ahead = k;
  let walksBefore = counts[C_WALKS]!;
  state[STOP] = STOP_NONE;
  while (k < end) {
    // Plain hits only: a call in this loop would make V8 spill every variable around it.
    while (k < end) {
      const lo = lows[k]!;
      const hw = highs[k]!;
      const vLow = (lo >>> 12) | (hw << 20);
      const vHigh = (hw & HIGH_MASK) >>> 12;
      const key = vLow >>> shift;
      const w = hints[((key ^ (key >>> 10)) & 1023) | ((hw >>> 20) & 1024)]!;
      const mask = masks[w]!;
      if (((tagsLow[w]! ^ vLow) & mask) !== 0) break;
      const tag = tagsHigh[w]!;
      if (tag !== (context | vHigh) && tag !== (globals | vHigh)) break;
      const deny = denials[w]!;
      if ((hw & deny) !== 0) break;
      tick = (tick + 1) | 0;
      ages[w] = tick;
      // Further accesses of the port to the same page, by the same privilege, are hits that change no recency;
      // where stores may not be, they end the run.
      const k0 = k;
      const byteMask = mask << 12;
      const kindMask = 0x61ff_ffff | (deny & STORE);
      stores = (stores + (hw >>> 31)) | 0;
      k = (k + 1) | 0;
      while (k < end) {
        const hx = highs[k]!;
        if ((((lows[k]! ^ lo) & byteMask) | ((hx ^ hw) & kindMask)) !== 0) break;
        stores = (stores + (hx >>> 31)) | 0;
        k = (k + 1) | 0;
      }
      const length = (k - k0) | 0;
      hits = (hits + length) | 0;
      fetches = (fetches + Math.imul(length, (hw >>> 30) & 1)) | 0;
      sum = (sum + Math.imul(length, l1Frames[w]!)) | 0;
      lastWay = w;
    }
    if (k >= end) break;
    const lo = lows[k]!;
    const hw = highs[k]!;
    const vLow = (lo >>> 12) | (hw << 20);
    let order = state[UNIFORM]!;
    if (order < 0) {
      // Sizes are mixed, but here no large page was cached: as good as 4 KiB pages alone.
      const region = vLow >>> 9;
      const is4k = isUniform4k && state[SIZES]! < 4;
      if (is4k && larges[(region ^ (region >>> 12)) & 4095] === 0) order = 0;
    }
    if (order >= 0 && (hw & FETCH) === 0) {
      // Data whose page can be cached in one size only: L1, STLB and walk by hand, so that nothing is searched
      // twice. What is not settled here is left to `slow`, which gives the same.
      const vHigh = (hw & HIGH_MASK) >>> 12;
      const tagHigh = context | vHigh;
      const globalHigh = globals | vHigh;
      const kind = hw >>> 29;
      const key = vLow >>> order;
      const tag = key << order;
      const ways = order === 0 ? d4Ways : d2Ways;
      const base =
        order === 0
          ? Math.imul(key & d4Mask, d4Ways)
          : (d2Base + Math.imul(key & d2Mask, d2Ways)) | 0;
      let found = -1;
      let w = base;
      if (ways === 4) {
        // The oldest of four without a branch, as a tournament: a comparison is the sign of a difference.
        const way1 = (base + 1) | 0;
        const way2 = (base + 2) | 0;
        const way3 = (base + 3) | 0;
        const isHere =
          tagsLow[base] === tag ||
          tagsLow[way1] === tag ||
          tagsLow[way2] === tag ||
          tagsLow[way3] === tag;
        if (isHere) found = findL1(vLow, tagHigh, 0) | 0;
        const age0 = ages[base]!;
        const age2 = ages[way2]!;
        const first = (ages[way1]! - age0) | 0;
        const second = (ages[way3]! - age2) | 0;
        const isWay1 = first >> 31;
        const isWay3 = second >> 31;
        const older = (age2 + (second & isWay3) - age0 - (first & isWay1)) >> 31;
        w = ((base - isWay1) & ~older) | ((way2 - isWay3) & older);
      } else {
        found = findL1(vLow, tagHigh, 0) | 0;
        w = oldestL1(base, ways) | 0;
      }
      let isDone = false;
      if (found >= 0) {
        // The hint was wrong, or a right is missing.
        isDone = (hw & denials[found]!) === 0;
        w = found;
        hits = (hits + (isDone ? 1 : 0)) | 0;
      } else {
        const bucket = (key ^ ((key >>> stBucketBits) << stSetBits)) & (stBuckets - 1);
        let v = buckets[bucket]!;
        while (v !== 0) {
          if (stTags[v] === tag && (stTagsHigh[v] === tagHigh || stTagsHigh[v] === globalHigh)) {
            break;
          }
          v = chain[v]!;
        }
        let meta = 0;
        if (v !== 0) {
          meta = metas[v]!;
          const deny = DENIALS[(meta & RAW) | state[WRITE_PROTECT]!]!;
          if ((meta & RAW_GLOBAL) === 0 && (hw & deny) === 0) {
            isDone = true;
            touchStlb(v, key & stMask);
            counts[C_STLB] = (counts[C_STLB]! + 1) | 0;
            l1Frames[w] = stFrames[v]!;
            tagsLow[w] = tag;
            tagsHigh[w] = tagHigh;
            l1Metas[w] = meta;
            denials[w] = deny;
          }
        } else {
          if (k >= ahead) {
            // Worth it where every other access walks or more.
            const walks = counts[C_WALKS]!;
            const isDense = walks - walksBefore >= aheadMax / 2;
            walksBefore = walks;
            ahead = k + aheadMax < end ? (k + aheadMax) | 0 : end;
            // Tables of large pages are small enough for the host's caches.
            if (isDense && order === 0) lookAhead(k, ahead);
          }
          if (walk(vLow, vHigh, kind) === 0) break;
          isDone = true;
          counts[C_MISS] = (counts[C_MISS]! + 1) | 0;
          meta = state[W_META]!;
          if (((meta >>> orderShift) & ORDER) !== order || (meta & RAW_GLOBAL) !== 0) {
            w = fillBoth(vLow, vHigh) | 0;
            // The sum is of whole pages' frames; L1 may have taken a piece.
            sum = (sum + state[W_FRAME]! - l1Frames[w]!) | 0;
            shift = hintShift();
          } else {
            const set = key & stMask;
            v = previous[heads[set]!]!;
            const home = homes[v]!;
            if (home !== 0 && buckets[home - 1] === v) buckets[home - 1] = chain[v]!;
            else unchainStlb(v);
            chain[v] = buckets[bucket]!;
            buckets[bucket] = v;
            homes[v] = bucket + 1;
            stTags[v] = tag;
            stTagsHigh[v] = tagHigh;
            stFrames[v] = state[W_FRAME]!;
            metas[v] = meta;
            heads[set] = v;
            if (meta >>> guestShift !== order) noteFragment(vLow, meta, order);
            if ((state[SIZES]! & 1) === 0 || order !== 0) noteSize(order, vLow >>> 9);
            l1Frames[w] = state[W_FRAME]!;
            tagsLow[w] = tag;
            tagsHigh[w] = tagHigh;
            l1Metas[w] = meta;
            denials[w] = DENIALS[(meta & RAW) | state[WRITE_PROTECT]!]!;
          }
        }
      }
      if (isDone) {
        tick = (tick + 1) | 0;
        ages[w] = tick;
        if (state[OVERLAP] === 0 || masks[w] === -1) hints[(key ^ (key >>> 10)) & 1023] = w;
        sum = (sum + l1Frames[w]!) | 0;
        stores = (stores + (hw >>> 31)) | 0;
        lastWay = w;
        k = (k + 1) | 0;
        continue;
      }
    }
    state[TICK] = tick;
    state[SUM] = sum;
    const done = slow(lo, hw) | 0;
    tick = state[TICK]!;
    sum = state[SUM]!;
    shift = hintShift();
    if (done === -2) break;
    lastWay = done;
    stores = (stores + (hw >>> 31)) | 0;
    fetches = (fetches + ((hw >>> 30) & 1)) | 0;
    k = (k + 1) | 0;
  }
  state[TICK] = tick;
  state[SUM] = sum;
  if (lastWay >= 0) {
    const lo = lows[k - 1]!;
    const vLow = (lo >>> 12) | (highs[k - 1]! << 20);
    state[LAST] = l1Frames[lastWay]! + (vLow & ~masks[lastWay]!);
  }
  counts[C_L1] = (counts[C_L1]! + hits) | 0;
  counts[C_STORES] = (counts[C_STORES]! + stores) | 0;
  counts[C_FETCHES] = (counts[C_FETCHES]! + fetches) | 0;
  // No other counter grows faster than these, at most 64 references per access, a batch at a time.
  if (Math.max(counts[C_L1], counts[C_REF_GUEST]!, counts[C_REF_NESTED]!) > 0x3fff_0000) spill();
  return k;
}
