import { PF_PRESENT, PF_RESERVED } from "../page-fault.ts";
import { C_REF_GUEST, c } from "./counts.ts";
import { firstRights, isMisaligned, setGuestBits } from "./first-marks.ts";
import { next, words } from "./given.ts";
import { firstPart } from "./first-part.ts";
import { firstLevel } from "./levels.ts";
import { nestedTable } from "./nested.ts";
import { refWhat, refWord } from "./references.ts";
import {
  STORING,
  TABLE_FOLDED,
  TABLE_STORING,
  TABLE_THROUGH,
  TABLE_VERIFIED,
  TABLE_WRITABLE,
} from "./rights.ts";
import {
  FIRST_A,
  FIRST_ALL,
  FIRST_ANY,
  FIRST_BITS,
  FIRST_FLIP,
  FIRST_FOLD,
  FIRST_FRAME,
  FIRST_INDEX,
  FIRST_LEAF,
  FIRST_LOW,
  FIRST_RESERVED,
  SWITCH,
  firstHasParts,
  firstLinksPlain,
  firstMarks,
  hasPagingWrite,
  hasShadowStacks,
} from "./shape.ts";
import { N_FLAGS, REFS, W_ABOVE, W_TABLE, W_VERIFIED, s } from "./state.ts";
import { pageFault } from "./stops.ts";
import { link, tableAt } from "./tables.ts";
import { fillPwc, prefixHigh, prefixLow, pwFrame, pwTable, pwWays } from "./walk-cache.ts";

declare let shift: number;
declare let table: number;
declare let frame: number;
declare let rights: number;
declare let isThrough: boolean;

/** The walk of the first stage from `table` down to the leaf: where that is, or -1. */
export function descendFirst(
  vLow: number,
  vHigh: number,
  kind: number,
  tag2: number,
  tag2High: number,
  context: number,
): number {
  let refs = s[REFS]!;
  let at = 0;
  for (;;) {
    const index = shift < 24 ? vLow >>> shift : prefixLow(shift, vLow, vHigh);
    at = table | ((index & FIRST_INDEX) << 1);
    const e = words[at]!;
    const h = words[at + 1]!;
    refWord[refs] = at;
    refWhat[refs] = shift;
    s[REFS] = refs = (refs + 1) | 0;
    c[C_REF_GUEST] = (c[C_REF_GUEST]! + 1) | 0;
    if ((e & FIRST_ALL) !== FIRST_ALL || (e & FIRST_ANY) === 0) return pageFault(kind, 0) - 1;
    if ((h & FIRST_RESERVED) !== 0) return pageFault(kind, PF_PRESENT | PF_RESERVED) - 1;
    if (hasShadowStacks) s[W_ABOVE] = rights;
    if (!firstLinksPlain) rights &= firstRights(e, h);
    if (shift === FIRST_LOW) break;
    if (((e ^ FIRST_FLIP) & FIRST_LEAF) !== 0) {
      if (isMisaligned(shift, e)) return pageFault(kind, PF_PRESENT | PF_RESERVED) - 1;
      break;
    }
    if (
      firstMarks &&
      !firstLinksPlain &&
      (e & FIRST_A) === 0 &&
      setGuestBits(at, e, FIRST_A, frame, isThrough) === 0
    )
      return -1;
    frame = (e >>> FIRST_FRAME) | (h << (32 - FIRST_FRAME));
    const level = firstLevel(shift);
    let folded = 0;
    if (firstHasParts) {
      folded = level > 2 && (h & FIRST_FOLD) !== 0 ? TABLE_FOLDED : 0;
      frame = firstPart(frame, shift, folded, vLow, vHigh) | 0;
    }
    if (isThrough) {
      table = nestedTable(frame) | 0;
      s[W_TABLE] = s[N_FLAGS]! & TABLE_STORING;
      refs = s[REFS]!;
    } else {
      table = firstHasParts ? 0 : next[at >>> 1]!;
      if (table === 0) table = (firstHasParts ? tableAt(frame) : link(at, FIRST_FRAME)) | 0;
      if (SWITCH !== 0 && (e & SWITCH) !== 0) {
        isThrough = true;
        s[W_TABLE] = STORING;
      }
    }
    if (table === -1) return -1;
    if (pwWays[level] !== 0) {
      const isNear = shift === FIRST_LOW + FIRST_BITS;
      const tag = isNear ? tag2 : prefixLow(shift, vLow, vHigh) | 0;
      const tagHigh = isNear ? tag2High : context | prefixHigh(shift, vHigh);
      let known = (s[W_TABLE] !== 0 ? TABLE_WRITABLE : 0) | (isThrough ? TABLE_THROUGH : 0);
      if (hasPagingWrite && s[W_VERIFIED] !== 0) known |= TABLE_VERIFIED;
      const entry = fillPwc(level, tag, tagHigh, (rights & 15) | known | folded) | 0;
      pwTable[entry] = table;
      pwFrame[entry] = frame;
    }
    shift = (shift - (FIRST_FOLD !== 0 && folded !== 0 ? 2 * FIRST_BITS : FIRST_BITS)) | 0;
  }
  if (firstLinksPlain) rights = firstRights(words[at]!, words[at + 1]!) | 0;
  return at;
}
