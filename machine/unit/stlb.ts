import { orderOf } from "./rights.ts";
import { CTX_GLOBAL, SIZES, s } from "./state.ts";
import {
  stBucket,
  stBucketBits,
  stBuckets,
  stChain,
  stHead,
  stHigh,
  stHome,
  stLow,
  stMeta,
  stNext,
  stSetBits,
  stWays,
  touchStlb,
} from "./stlb-ways.ts";
import { VPN_HIGH } from "./tags.ts";

export function bucketOf(key: number): number {
  return (key ^ ((key >>> stBucketBits) << stSetBits)) & (stBuckets - 1);
}

export function findStlb(vLow: number, tagHigh: number): number {
  const sizes = s[SIZES]!;
  if ((sizes & 1) !== 0) {
    const v = findStlbOf(vLow, tagHigh, 0) | 0;
    if (v !== 0) return v;
  }
  return sizes > 1 ? findStlbOf((vLow >>> 9) << 9, tagHigh, 9) | 0 : 0;
}

export function findStlbOf(tag: number, tagHigh: number, order: number): number {
  const globalHigh = s[CTX_GLOBAL]! | (tagHigh & VPN_HIGH);
  let v = stBucket[bucketOf(tag >>> order)]!;
  while (v !== 0) {
    if (stLow[v] === tag && orderOf(stMeta[v]!) === order) {
      const h = stHigh[v]!;
      if (h === tagHigh || h === globalHigh) break;
    }
    v = stChain[v]!;
  }
  return v;
}

export function unchainStlb(v: number): void {
  const home = stHome[v]!;
  if (home === 0) return;
  stHome[v] = 0;
  let at = stBucket[home - 1]!;
  if (at === v) {
    stBucket[home - 1] = stChain[v]!;
    return;
  }
  while (stChain[at] !== v) at = stChain[at]!;
  stChain[at] = stChain[v]!;
}

export function dropStlb(v: number): void {
  unchainStlb(v);
  stHigh[v] = 0;
  const set = ((v - 1) / stWays) | 0;
  touchStlb(v, set);
  stHead[set] = stNext[v]!;
}
