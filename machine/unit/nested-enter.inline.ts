import {
  fillNested,
  ntBucket,
  ntChain,
  ntEpoch,
  ntFlags,
  ntFrame,
  ntHead,
  ntMask,
  ntOrder,
  ntPrevious,
  ntTable,
  ntTag,
  unchainNested,
} from "./nested-tlb.ts";
import { hasViews } from "./shape.ts";
import { EPOCH, NESTED_SIZES, N_FLAGS, N_ORDER, N_TABLE, s } from "./state.ts";

declare let v: number;

/** The page that starts at `frame` goes into the nested TLB; `v` is the entry that lacked a right, or 0. */
export function enterNested(
  gfn: number,
  frame: number,
  uniform: number,
  key: number,
  tag: number,
  bucket: number,
): void {
  if (v !== 0 || s[N_ORDER] !== uniform || s[NESTED_SIZES] === 0) {
    fillNested(v, gfn, frame);
    return;
  }
  const set = key & ntMask;
  v = ntPrevious[ntHead[set]!]!;
  const old = ntTag[v]! >>> uniform;
  const oldBucket = (old ^ (old >>> 8)) & 255;
  if (ntBucket[oldBucket] === v) ntBucket[oldBucket] = ntChain[v]!;
  else unchainNested(v);
  ntTag[v] = tag;
  ntOrder[v] = uniform;
  ntChain[v] = ntBucket[bucket]!;
  ntBucket[bucket] = v;
  ntFrame[v] = frame;
  ntTable[v] = s[N_TABLE]!;
  ntFlags[v] = s[N_FLAGS]!;
  if (hasViews) ntEpoch[v] = s[EPOCH]!;
  // The victim was the tail of the ring, so this makes it the most recent.
  ntHead[set] = v;
}
