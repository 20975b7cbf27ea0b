import { geometryOf, preset, room } from "./given.ts";
import { secondLevel } from "./levels.ts";
import { createRing } from "./ring.t.ts";
import { SECOND_BITS, SECOND_LOW, hasViews, secondLeafShift } from "./shape.ts";
import { EPOCH, NESTED_SIZES, NESTED_UNIFORM, N_FLAGS, N_ORDER, N_TABLE, s } from "./state.ts";

/** Order of a nested TLB entry that holds nothing. */
export const unused = 255;

const ntlb = geometryOf(preset.nestedTlb);
export const hasNtlb = preset.nestedTlb !== null;
export const ntMask = ntlb.sets - 1;
const ntWays = ntlb.ways;
const ntEntries = ntlb.sets * ntlb.ways;
export const ntTag = room.int32(ntEntries + 1);
export const ntOrder = room.uint8(ntEntries + 1).fill(unused);
export const ntFrame = room.int32(ntEntries + 1);
export const ntTable = room.int32(ntEntries + 1);
export const ntFlags = room.uint8(ntEntries + 1);
/** The epoch of the view that an entry is of, where there are views. */
export const ntEpoch = room.int32(hasViews ? ntEntries + 1 : 0);
const ntRing = createRing(room, ntlb);
const ntNext = ntRing.next;
export const { previous: ntPrevious, head: ntHead, touch: touchNested } = ntRing;
export const ntBucket = room.int16(256);
export const ntChain = room.int16(ntEntries + 1);

/** A bit for each size of page. */
function sizeBit(order: number): number {
  return 1 << (secondLevel(order) - 1);
}

export function findNested(gfn: number): number {
  const sizes = s[NESTED_SIZES]!;
  for (let order = SECOND_LOW; order <= secondLeafShift; order += SECOND_BITS) {
    if ((sizes & sizeBit(order)) === 0) continue;
    const v = findNestedOf(gfn, order) | 0;
    if (v !== 0) return v;
  }
  return 0;
}

function findNestedOf(gfn: number, order: number): number {
  const key = gfn >>> order;
  const tag = key << order;
  let v = ntBucket[(key ^ (key >>> 8)) & 255]!;
  while (
    v !== 0 &&
    (ntTag[v] !== tag || ntOrder[v] !== order || (hasViews && ntEpoch[v] !== s[EPOCH]))
  )
    v = ntChain[v]!;
  return v;
}

/** Enters the page that starts at `frame`, of the size that the walk found. */
export function fillNested(found: number, gfn: number, frame: number): void {
  const order = s[N_ORDER]!;
  const key = gfn >>> order;
  const set = key & ntMask;
  let v = found;
  if (v !== 0 && ntOrder[v] !== order) {
    // Found as a page of another size; it may be there already as one of this size.
    dropNested(v);
    v = findNestedOf(gfn, order) | 0;
  }
  if (v === 0) {
    v = ntPrevious[ntHead[set]!]!;
    unchainNested(v);
    ntTag[v] = key << order;
    ntOrder[v] = order;
    const bucket = (key ^ (key >>> 8)) & 255;
    ntChain[v] = ntBucket[bucket]!;
    ntBucket[bucket] = v;
    const sizes = s[NESTED_SIZES]! | sizeBit(order);
    s[NESTED_SIZES] = sizes;
    s[NESTED_UNIFORM] = (sizes & (sizes - 1)) === 0 ? order : -1;
  }
  ntFrame[v] = frame;
  ntTable[v] = s[N_TABLE]!;
  ntFlags[v] = s[N_FLAGS]!;
  if (hasViews) ntEpoch[v] = s[EPOCH]!;
  touchNested(v, set);
}

export function unchainNested(v: number): void {
  if (ntOrder[v] === unused) return;
  const key = ntTag[v]! >>> ntOrder[v]!;
  const bucket = (key ^ (key >>> 8)) & 255;
  let at = ntBucket[bucket]!;
  if (at === v) {
    ntBucket[bucket] = ntChain[v]!;
    return;
  }
  while (ntChain[at] !== v) at = ntChain[at]!;
  ntChain[at] = ntChain[v]!;
}

/** An invalid way becomes its set's next victim. */
export function dropNested(v: number): void {
  unchainNested(v);
  ntOrder[v] = unused;
  const set = ((v - 1) / ntWays) | 0;
  touchNested(v, set);
  ntHead[set] = ntNext[v]!;
}
