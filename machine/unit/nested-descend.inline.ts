import { slotShift } from "../memory.ts";
import { next, words } from "./given.ts";
import {
  fillNestedPwc,
  findNestedPwc,
  hasNestedPwc,
  lastWalkUncached,
  npFrame,
  npRights,
  npTable,
  rootPart,
  secondPart,
} from "./nested-walk-cache.ts";
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
  secondFoldParts,
  secondHasParts,
  secondIsPlain,
  secondLeafShift,
  secondParts,
  secondRootParts,
} from "./shape.ts";
import { NESTED_NEED, NESTED_ROOT, N_SHIFT, REFS, STOP_DURING, s } from "./state.ts";
import { violation } from "./stops.ts";
import { link, linkParts, tableAt } from "./tables.ts";

declare let shift: number;
declare let rights: number;

/** The walk of the second stage, from the root or what its walk cache knows down to the leaf: where that is, or -1. */
export function descendNested(gfn: number, kind: number): number {
  const need = s[NESTED_NEED]!;
  let table = s[NESTED_ROOT]!;
  if (secondRootParts !== 0) table = rootPart(gfn, shift) | 0;
  if (secondRootParts !== 0 && table === -1) return -1;
  const isCached = !lastWalkUncached || s[STOP_DURING] !== 0;
  if (hasNestedPwc && isCached) {
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
    table = next[at >>> 1]!;
    if (secondHasParts) {
      const h = words[at + 1]!;
      const hasTwo = shift > SECOND_LOW + SECOND_BITS && (h & SECOND_FOLD) !== 0;
      folded = hasTwo ? TABLE_FOLDED : 0;
      const parts = hasTwo ? secondFoldParts : secondParts;
      const below = (shift - parts) | 0;
      const part = below > 31 ? 0 : (gfn >>> below) & ((1 << parts) - 1);
      if (hasNestedPwc || table === 0)
        frame = ((((e >>> SECOND_FRAME) | (h << (32 - SECOND_FRAME))) >>> parts) << parts) | part;
      table = (table === 0 ? linkParts(at, frame, parts, part) : table + (part << slotShift)) | 0;
    } else if (table === 0) {
      table = link(at, SECOND_FRAME) | 0;
    }
    if (table === -1) {
      s[REFS] = refs;
      return -1;
    }
    if (hasNestedPwc && isCached) {
      const entry = fillNestedPwc(shift, gfn, table, rights | folded) | 0;
      if (secondHasParts && entry >= 0) npFrame[entry] = frame;
    }
    shift = (shift - (SECOND_FOLD !== 0 && folded !== 0 ? 2 * SECOND_BITS : SECOND_BITS)) | 0;
  }
  s[REFS] = refs;
  return at;
}
