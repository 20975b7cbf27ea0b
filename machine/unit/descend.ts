import { walkLengthMax } from "../counters.ts";
import { descendAsked, RESTARTED } from "./asked-first.ts";
import { C_PWC, C_REF_GUEST, C_REF_NESTED, C_WALKS, c, lengths } from "./counts.ts";
import { dataCache } from "./given.ts";
import { descendFirst } from "./descend-first.inline.ts";
import { leaveFirst } from "./first-leaf.inline.ts";
import { firstPart } from "./first-part.ts";
import { firstLevel } from "./levels.ts";
import { leafHash, leaves } from "./look-ahead.ts";
import { nestedTable } from "./nested.ts";
import { readLines } from "./references.ts";
import {
  STORING,
  TABLE_FOLDED,
  TABLE_STORING,
  TABLE_THROUGH,
  TABLE_VERIFIED,
  TABLE_WRITABLE,
} from "./rights.ts";
import {
  FIRST_BITS,
  FIRST_INDEX,
  FIRST_LOW,
  RESTART,
  SWITCH,
  firstHasParts,
  firstParts,
  firstRootParts,
  hasPagingWrite,
  keepsRoot,
  startsThrough,
} from "./shape.ts";
import {
  ASKED_FRAME,
  ASKED_RIGHTS,
  ASKED_SHIFT,
  CTX,
  KEPT_FLAGS,
  KEPT_TABLE,
  N_FLAGS,
  REFS,
  ROOT,
  ROOT_SWITCHED,
  SHIFT,
  STOP_DURING,
  STOP_SWITCHED,
  TICK_PWC,
  W_TABLE,
  W_VERIFIED,
  s,
} from "./state.ts";
import { tableAt } from "./tables.ts";
import { findNear } from "./walk-cache-near.inline.ts";
import { findPwc, prefixLow, pwAge, pwFrame, pwRights, pwTable } from "./walk-cache.ts";

export function walk(vLow: number, vHigh: number, kind: number): number {
  s[REFS] = 0;
  const guest = c[C_REF_GUEST]!;
  let outcome = RESTARTED;
  if (RESTART !== 0) outcome = asked(vLow, vHigh, kind) | 0;
  if (outcome === RESTARTED) outcome = descend(vLow, vHigh, kind) | 0;
  const refs = s[REFS];
  c[C_WALKS] = (c[C_WALKS]! + 1) | 0;
  c[C_REF_NESTED] = (c[C_REF_NESTED]! + refs - c[C_REF_GUEST]! + guest) | 0;
  const bin = refs > walkLengthMax ? walkLengthMax : refs;
  lengths[bin] = (lengths[bin]! + 1) | 0;
  if (dataCache !== null) readLines(refs);
  return outcome;
}

/** What tables that are asked first say of the page: as `descend`, or `RESTARTED`. */
function asked(vLow: number, vHigh: number, kind: number): number {
  const i = descendAsked(vLow, vHigh, kind) | 0;
  if (i === RESTARTED) return RESTARTED;
  if (i === -1) return 0;
  const shift = s[ASKED_SHIFT]!;
  const rights = s[ASKED_RIGHTS]!;
  const frame = s[ASKED_FRAME]!;
  const isThrough = true;
  const outcome = leaveFirst(vLow, kind, i, shift, rights, frame, isThrough);
  return outcome;
}

/** One loop over the levels, one nested call per table: the whole two-dimensional walk. */
function descend(vLow: number, vHigh: number, kind: number): number {
  const top = s[SHIFT]!;
  const context = s[CTX]!;
  let shift = top;
  let table = -1;
  let frame = s[ROOT]!;
  let rights = 15;
  let isThrough: boolean = startsThrough;
  s[STOP_DURING] = 1;
  if (hasPagingWrite) s[W_VERIFIED] = 1;
  const tag2 = (vLow >>> (FIRST_LOW + FIRST_BITS)) | (vHigh << (32 - FIRST_LOW - FIRST_BITS));
  const tag2High = context | (vHigh >>> (FIRST_LOW + FIRST_BITS));
  let cached = -1;
  cached = findNear(vLow, vHigh, tag2, tag2High, context);
  let above = FIRST_LOW + 3 * FIRST_BITS;
  for (; cached < 0 && above <= top; above = (above + FIRST_BITS) | 0) {
    cached = findPwc(above, vLow, vHigh) | 0;
    if (cached >= 0) shift = (above - FIRST_BITS) | 0;
  }
  if (cached >= 0) {
    table = pwTable[cached]!;
    frame = pwFrame[cached]!;
    rights = pwRights[cached]!;
    pwAge[cached] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
    const hits = (C_PWC - 1 + firstLevel(shift)) | 0;
    c[hits] = (c[hits]! + 1) | 0;
    s[W_TABLE] = rights & TABLE_WRITABLE;
    if (hasPagingWrite) s[W_VERIFIED] = rights & TABLE_VERIFIED;
    if (SWITCH !== 0) isThrough = (rights & TABLE_THROUGH) !== 0;
    if (firstHasParts) {
      const folded = rights & TABLE_FOLDED;
      if (firstParts !== 0 || folded !== 0) {
        frame = firstPart(frame, (shift + FIRST_BITS) | 0, folded, vLow, vHigh) | 0;
        table = (isThrough ? nestedTable(frame) : tableAt(frame)) | 0;
        if (table === -1) return 0;
        s[W_TABLE] = s[N_FLAGS]! & TABLE_STORING;
      }
      if (folded !== 0) shift = (shift - FIRST_BITS) | 0;
    }
  } else {
    // A wide root is several tables, one after another.
    if (firstRootParts !== 0)
      frame += prefixLow(top + 9, vLow, vHigh) & ((1 << firstRootParts) - 1);
    if (keepsRoot && s[KEPT_TABLE] !== 0) {
      table = s[KEPT_TABLE]!;
      s[N_FLAGS] = s[KEPT_FLAGS]!;
    } else {
      table = (isThrough ? nestedTable(frame) : tableAt(frame)) | 0;
      if (table === -1) return 0;
      if (keepsRoot) {
        s[KEPT_TABLE] = table;
        s[KEPT_FLAGS] = s[N_FLAGS]!;
      }
    }
    s[W_TABLE] = s[N_FLAGS]! & TABLE_STORING;
    if (SWITCH !== 0 && s[ROOT_SWITCHED] !== 0) {
      isThrough = true;
      s[W_TABLE] = STORING;
    }
  }
  const i = descendFirst(vLow, vHigh, kind, tag2, tag2High, context);
  if (SWITCH !== 0) s[STOP_SWITCHED] = isThrough ? 1 : 0;
  if (i === -1) return 0;
  if (shift === FIRST_LOW) leaves[leafHash(vLow)] = i & ~(FIRST_INDEX << 1);
  const outcome = leaveFirst(vLow, kind, i, shift, rights, frame, isThrough);
  return outcome;
}
