import { high, low, room, words } from "./given.ts";
import { FIRST_BITS, FIRST_FRAME, FIRST_INDEX, SECOND_INDEX, hasSecond } from "./shape.ts";
import { SEEN, s } from "./state.ts";
import { leavesLength } from "./tags.ts";

/** Accesses that `lookAhead` looks at in one go. */
export const aheadMax = 32;

// Where the last leaf table was that a walk for a page near this one ended in, by hash; for the gfn likewise.
export const leaves = room.int32(leavesLength);
export const nestedLeaves = room.int32(leavesLength);
const placesAhead = room.int32(aheadMax);

/** Place of a leaf table among those remembered, by a 4 KiB page that it maps. */
export function leafHash(page: number): number {
  const table = page >>> FIRST_BITS;
  return (table ^ (table >>> 12)) & (leavesLength - 1);
}

/**
 * Loads the leaf entries that walks for the next accesses will most likely end in, so that the host fetches them
 * into its caches all at once; walks are longer than what a host executes ahead, and would wait for one after the
 * other. Nothing depends on what is loaded.
 */
export function lookAhead(from: number, to: number): void {
  const length = (to - from) | 0;
  for (let n = 0; n < length; n = (n + 1) | 0) {
    const vLow = (low[from + n]! >>> 12) | (high[from + n]! << 20);
    placesAhead[n] = leaves[leafHash(vLow)]! | ((vLow & FIRST_INDEX) << 1);
  }
  // In loops of their own, with so little else in them that the host has all the loads under way at once.
  let seen = 0;
  for (let n = 0; n < length; n = (n + 1) | 0) seen ^= words[placesAhead[n]!]!;
  if (hasSecond) {
    for (let n = 0; n < length; n = (n + 1) | 0) {
      const i = placesAhead[n]!;
      const gfn = (words[i]! >>> FIRST_FRAME) | (words[i + 1]! << (32 - FIRST_FRAME));
      placesAhead[n] = nestedLeaves[leafHash(gfn)]! | ((gfn & SECOND_INDEX) << 1);
    }
    for (let n = 0; n < length; n = (n + 1) | 0) seen ^= words[placesAhead[n]!]!;
  }
  s[SEEN] = seen;
}
