import { next, words } from "./given.ts";
import {
  fillNestedPwc,
  findNestedPwc,
  hasNestedPwc,
  npFrame,
  npRights,
  npTable,
  secondPart,
} from "./nested-walk-cache.ts";
import { secondLevel } from "./levels.ts";
import { TABLE_FOLDED } from "./rights.ts";
import { passNested } from "./nested-marks.ts";
import { refWhat, refWord } from "./references.ts";
import {
  SECOND_BITS,
  SECOND_FLIP,
  SECOND_FOLD,
  SECOND_FRAME,
  SECOND_INDEX,
  SECOND_LEAF,
  SECOND_LOW,
  secondHasParts,
  secondIsPlain,
  secondLeafShift,
  secondParts,
  secondRootParts,
} from "./shape.ts";
import { NESTED_NEED, NESTED_ROOT, NESTED_ROOT_FRAME, N_SHIFT, REFS, s } from "./state.ts";
import { violation } from "./stops.ts";
import { link, tableAt } from "./tables.ts";

declare let shift: number;
declare let rights: number;

/** The walk of the second stage, from the root or what its walk cache knows down to the leaf: where that is, or -1. */
export function descendNested(gfn: number, kind: number): number {
  const need = s[NESTED_NEED]!;
  let table = s[NESTED_ROOT]!;
  if (secondRootParts !== 0) {
    // The root is several tables, and these lie anywhere in the arena.
    const part = shift > 22 ? 0 : gfn >>> (shift + 9);
    table = tableAt(s[NESTED_ROOT_FRAME]! + (part & ((1 << secondRootParts) - 1))) | 0;
    if (table === -1) return -1;
  }
  if (hasNestedPwc) {
    const cached = findNestedPwc(gfn) | 0;
    if (cached >= 0) {
      table = npTable[cached]!;
      rights = npRights[cached]!;
      shift = s[N_SHIFT]!;
      if (secondHasParts) {
        const folded = rights & TABLE_FOLDED;
        rights &= 15;
        if (secondParts !== 0 || folded !== 0) {
          table = tableAt(secondPart(npFrame[cached]!, (shift + SECOND_BITS) | 0, folded, gfn)) | 0;
          if (table === -1) return -1;
        }
        if (folded !== 0) shift = (shift - SECOND_BITS) | 0;
      }
    }
  }
  let refs = s[REFS]!;
  let at = 0;
  for (;;) {
    at = table | (shift > 31 ? 0 : ((gfn >>> shift) & SECOND_INDEX) << 1);
    const e = words[at]!;
    refWord[refs] = at;
    refWhat[refs] = 64 | shift;
    refs = (refs + 1) | 0;
    if (shift === SECOND_LOW) break;
    if (((e ^ SECOND_FLIP) & SECOND_LEAF) !== 0 && shift <= secondLeafShift) break;
    if (!secondIsPlain || (e & need) !== need) {
      const own = passNested(at, e) | 0;
      if (own === 0) {
        s[REFS] = refs;
        return violation(gfn, kind, e);
      }
      rights &= own;
    }
    let folded = 0;
    let frame = 0;
    if (secondHasParts) {
      const h = words[at + 1]!;
      folded = secondLevel(shift) > 2 && (h & SECOND_FOLD) !== 0 ? TABLE_FOLDED : 0;
      frame = secondPart((e >>> SECOND_FRAME) | (h << (32 - SECOND_FRAME)), shift, folded, gfn) | 0;
      table = 0;
    } else {
      table = next[at >>> 1]!;
    }
    if (table === 0) {
      table = (secondHasParts ? tableAt(frame) : link(at, SECOND_FRAME)) | 0;
      if (table === -1) {
        s[REFS] = refs;
        return -1;
      }
    }
    if (hasNestedPwc) {
      const entry = fillNestedPwc(shift, gfn, table, rights | folded) | 0;
      if (secondHasParts && entry >= 0) npFrame[entry] = frame;
    }
    shift = (shift - (SECOND_FOLD !== 0 && folded !== 0 ? 2 * SECOND_BITS : SECOND_BITS)) | 0;
  }
  s[REFS] = refs;
  return at;
}
