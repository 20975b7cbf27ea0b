import { next, words } from "./given.ts";
import {
  fillNestedPwc,
  findNestedPwc,
  hasNestedPwc,
  npRights,
  npTable,
} from "./nested-walk-cache.ts";
import { passNested } from "./nested-marks.ts";
import { refWhat, refWord } from "./references.ts";
import {
  SECOND_BITS,
  SECOND_EXTRA,
  SECOND_FRAME,
  SECOND_INDEX,
  SECOND_LEAF,
  secondIsPlain,
  secondLeafShift,
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
  if (SECOND_EXTRA !== 0) {
    // The root is several tables, and these lie anywhere in the arena.
    table = tableAt(s[NESTED_ROOT_FRAME]! + (gfn >>> (shift + SECOND_BITS))) | 0;
  }
  if (hasNestedPwc) {
    const cached = findNestedPwc(gfn) | 0;
    if (cached >= 0) {
      table = npTable[cached]!;
      rights = npRights[cached]!;
      shift = s[N_SHIFT]!;
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
    if (shift === 0 || ((e & SECOND_LEAF) !== 0 && shift <= secondLeafShift)) break;
    if (!secondIsPlain || (e & need) !== need) {
      const own = passNested(at, e) | 0;
      if (own === 0) {
        s[REFS] = refs;
        return violation(gfn, kind);
      }
      rights &= own;
    }
    table = next[at >>> 1]!;
    if (table === 0) {
      table = link(at, SECOND_FRAME) | 0;
      if (table === -1) {
        s[REFS] = refs;
        return -1;
      }
    }
    if (hasNestedPwc) fillNestedPwc(shift, gfn, table, rights);
    shift = (shift - SECOND_BITS) | 0;
  }
  s[REFS] = refs;
  return at;
}
