import { C_MISS, c } from "./counts.ts";
import { l1Deny, l1Frame, l1High, l1Low, l1Meta } from "./l1-ways.ts";
import { fillBoth, hintShift } from "./miss.ts";
import { DENY, ORDER, RAW, RAW_GLOBAL, guestShift, orderShift } from "./rights.ts";
import { noteFragment, noteSize } from "./sizes.ts";
import { SIZES, WRITE_PROTECT, W_FRAME, W_META, s } from "./state.ts";
import {
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
} from "./stlb-ways.ts";
import { unchainStlb } from "./stlb.ts";

declare let sum: number;
declare let shift: number;

/** What a walk found goes into the STLB and into L1's way `w`, which gives way; the L1 way that it got. */
export function enterOneSize(
  w: number,
  vLow: number,
  vHigh: number,
  tag: number,
  tagHigh: number,
  page: number,
  bucket: number,
  order: number,
): number {
  c[C_MISS] = (c[C_MISS]! + 1) | 0;
  const meta = s[W_META]!;
  if (((meta >>> orderShift) & ORDER) !== order || (meta & RAW_GLOBAL) !== 0) {
    const way = fillBoth(vLow, vHigh) | 0;
    // The sum is of whole pages' frames; L1 may have taken a piece.
    sum = (sum + s[W_FRAME]! - l1Frame[way]!) | 0;
    shift = hintShift() | 0;
    return way;
  }
  const set = page & stMask;
  const entry = stPrevious[stHead[set]!]!;
  const home = stHome[entry]!;
  if (home !== 0 && stBucket[home - 1] === entry) stBucket[home - 1] = stChain[entry]!;
  else unchainStlb(entry);
  stChain[entry] = stBucket[bucket]!;
  stBucket[bucket] = entry;
  stHome[entry] = bucket + 1;
  stLow[entry] = tag;
  stHigh[entry] = tagHigh;
  stFrame[entry] = s[W_FRAME]!;
  stMeta[entry] = meta;
  stHead[set] = entry;
  if (((meta >>> guestShift) & ORDER) !== order) noteFragment(vLow, meta, order);
  if ((s[SIZES]! & 1) === 0 || order !== 0) noteSize(order, vLow >>> 9);
  l1Frame[w] = s[W_FRAME]!;
  l1Low[w] = tag;
  l1High[w] = tagHigh;
  l1Meta[w] = meta;
  l1Deny[w] = DENY[(meta & RAW) | s[WRITE_PROTECT]!]!;
  return w;
}
