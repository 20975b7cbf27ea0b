import { walkLengthMax } from "../counters.ts";
import { A, D, G, P, PF_PRESENT, PF_RESERVED, PS, RESERVED_HIGH } from "../entry.ts";
import { C_A, C_D, C_PWC, C_REF_GUEST, C_REF_NESTED, C_WALKS, c, lengths } from "./counts.ts";
import { next, words } from "./given.ts";
import { levelOf } from "./levels.ts";
import { leafHash, leaves } from "./look-ahead.ts";
import { nested, nestedTable } from "./nested.ts";
import { dataCache, readLines, refWhat, refWord } from "./references.ts";
import {
  FETCHING,
  RAW_GLOBAL,
  RAW_NESTED_X,
  RAW_STORE,
  R_U,
  R_W,
  R_X,
  TABLE_WRITABLE,
  WRITE,
  guestShift,
  orderShift,
} from "./rights.ts";
import {
  CTX,
  FRAMES,
  GLOBAL_PAGES,
  NESTED,
  N_FLAGS,
  N_ORDER,
  REFS,
  ROOT,
  SHIFT,
  STOP_DURING,
  TABLE_ACCESS,
  TICK_PWC,
  WRITE_PROTECT,
  W_FRAME,
  W_META,
  W_TABLE,
  s,
} from "./state.ts";
import { outside, pageFault, violation } from "./stops.ts";
import { link, tableAt } from "./tables.ts";
import {
  fillPwc,
  findPwc,
  prefixHigh,
  prefixLow,
  pw2Mask,
  pw2Ways,
  pw3Base,
  pw3Mask,
  pw3Ways,
  pwAge,
  pwFrame,
  pwHigh,
  pwLow,
  pwRights,
  pwTable,
  pwWays,
} from "./walk-cache.ts";

/** An entry with PS: address bits below a large page, or PS where no page is. */
function isReserved(shift: number, e: number): boolean {
  return (e & (shift === 9 ? 0x1f_e000 : shift === 18 ? 0x3fff_e000 : -1)) !== 0;
}

/**
 * Sets `bits` (A, D) in a guest entry. Silicon knows from the translation of the entry's table, which it has just
 * used, whether it may write there: 0 with the violation filled in when it may not.
 */
function setGuestBits(i: number, e: number, bits: number, table: number): number {
  const isWritable = s[NESTED] === 0 || s[TABLE_ACCESS] === WRITE || s[W_TABLE] !== 0;
  if (!isWritable) {
    violation(table, WRITE);
    return 0;
  }
  if ((bits & A & ~e) !== 0) c[C_A] = c[C_A]! + 1;
  if ((bits & D & ~e) !== 0) c[C_D] = c[C_D]! + 1;
  words[i] = e | bits;
  return 1;
}

export function walk(vLow: number, vHigh: number, kind: number): number {
  s[REFS] = 0;
  const guest = c[C_REF_GUEST]!;
  const outcome = descend(vLow, vHigh, kind) | 0;
  const refs = s[REFS];
  c[C_WALKS] = (c[C_WALKS]! + 1) | 0;
  c[C_REF_NESTED] = (c[C_REF_NESTED]! + refs - c[C_REF_GUEST]! + guest) | 0;
  const bin = refs > walkLengthMax ? walkLengthMax : refs;
  lengths[bin] = (lengths[bin]! + 1) | 0;
  if (dataCache !== null) readLines(refs);
  return outcome;
}

/** One loop over the levels, one nested call per table: the whole two-dimensional walk. */
function descend(vLow: number, vHigh: number, kind: number): number {
  const isNested = s[NESTED] !== 0;
  const top = s[SHIFT]!;
  const context = s[CTX]!;
  let shift = top;
  let table = -1;
  let frame = s[ROOT]!;
  let rights = 7;
  let cached = -1;
  s[STOP_DURING] = 1;
  // Nearly every hit is in the two caches nearest to the leaves, so these two are searched by hand (1D walk: 1.1x).
  const tag2 = (vLow >>> 9) | (vHigh << 23);
  const tag2High = context | (vHigh >>> 9);
  const base2 = Math.imul(tag2 & pw2Mask, pw2Ways);
  let isLikely = pw2Ways !== 0;
  if (pw2Ways === 4) {
    isLikely =
      pwLow[base2] === tag2 ||
      pwLow[base2 + 1] === tag2 ||
      pwLow[base2 + 2] === tag2 ||
      pwLow[base2 + 3] === tag2;
  }
  if (isLikely) {
    let v = base2;
    const end = (v + pw2Ways) | 0;
    while (v < end && (pwLow[v] !== tag2 || pwHigh[v] !== tag2High)) v = (v + 1) | 0;
    if (v < end) {
      cached = v;
      shift = 0;
    }
  }
  if (cached < 0 && pw3Ways !== 0) {
    const tag = (vLow >>> 18) | (vHigh << 14);
    let v = (pw3Base + Math.imul(tag & pw3Mask, pw3Ways)) | 0;
    const end = (v + pw3Ways) | 0;
    while (v < end && (pwLow[v] !== tag || pwHigh[v] !== context)) v = (v + 1) | 0;
    if (v < end) {
      cached = v;
      shift = 9;
    }
  }
  for (let above = 27; cached < 0 && above <= top; above = (above + 9) | 0) {
    cached = findPwc(above, vLow, vHigh) | 0;
    if (cached >= 0) shift = (above - 9) | 0;
  }
  if (cached >= 0) {
    table = pwTable[cached]!;
    frame = pwFrame[cached]!;
    rights = pwRights[cached]!;
    pwAge[cached] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
    const hits = (C_PWC - 1 + levelOf(shift)) | 0;
    c[hits] = (c[hits]! + 1) | 0;
    s[W_TABLE] = rights & TABLE_WRITABLE;
  } else {
    table = (isNested ? nestedTable(frame) : tableAt(frame)) | 0;
    if (table === -1) return 0;
    s[W_TABLE] = s[N_FLAGS]! & WRITE;
  }
  let refs = s[REFS]!;
  let i = 0;
  let e = 0;
  let h = 0;
  for (;;) {
    const index =
      shift < 27 ? vLow >>> shift : shift === 27 ? (vLow >>> 27) | (vHigh << 5) : vHigh >>> 4;
    i = table | ((index & 511) << 1);
    e = words[i]!;
    h = words[i + 1]!;
    refWord[refs] = i;
    refWhat[refs] = shift;
    refs = (refs + 1) | 0;
    s[REFS] = refs;
    c[C_REF_GUEST] = (c[C_REF_GUEST]! + 1) | 0;
    if ((e & P) === 0) return pageFault(kind, 0);
    if ((h & RESERVED_HIGH) !== 0) return pageFault(kind, PF_PRESENT | PF_RESERVED);
    rights &= ((e >>> 1) & 3) | ((~h >>> 29) & 4);
    if (shift === 0) break;
    if ((e & PS) !== 0) {
      if (isReserved(shift, e)) return pageFault(kind, PF_PRESENT | PF_RESERVED);
      break;
    }
    if ((e & A) === 0 && setGuestBits(i, e, A, frame) === 0) return 0;
    frame = (e >>> 12) | (h << 20);
    if (isNested) {
      table = nestedTable(frame) | 0;
      s[W_TABLE] = s[N_FLAGS]! & WRITE;
      refs = s[REFS]!;
    } else {
      table = next[i >>> 1]!;
      if (table === 0) table = link(i) | 0;
    }
    if (table === -1) return 0;
    const level = levelOf(shift);
    if (pwWays[level] !== 0) {
      const tag = shift === 9 ? tag2 : prefixLow(shift, vLow, vHigh) | 0;
      const tagHigh = shift === 9 ? tag2High : context | prefixHigh(shift, vHigh);
      const known: number = rights | (s[W_TABLE] !== 0 ? TABLE_WRITABLE : 0);
      const v = fillPwc(level, tag, tagHigh, known) | 0;
      pwTable[v] = table;
      pwFrame[v] = frame;
    }
    shift = (shift - 9) | 0;
  }
  if (shift === 0) leaves[leafHash(vLow)] = table;
  // The leaf entry is at `i`: rights, A and D, and the page itself in the second dimension.
  const isStore = kind >>> 2;
  if (
    (isStore !== 0 && (rights & R_W) === 0 && ((kind & 1) !== 0 || s[WRITE_PROTECT] !== 0)) ||
    ((kind & 1) !== 0 && (rights & R_U) === 0) ||
    ((kind & 2) !== 0 && (rights & R_X) === 0)
  ) {
    return pageFault(kind, PF_PRESENT);
  }
  const need = A | (isStore << 6);
  if ((e & need) !== need) {
    if (setGuestBits(i, e, need, frame) === 0) return 0;
    e |= need;
  }
  const inPage = (1 << shift) - 1;
  const page = ((e >>> 12) | (h << 20)) & ~inPage;
  // D is bit 6: the right to store without a walk is bit 3.
  let raw = (rights & 7) | ((e >>> 3) & RAW_STORE) | RAW_NESTED_X;
  if ((e & G) !== 0 && s[GLOBAL_PAGES] !== 0) raw |= RAW_GLOBAL;
  const gfn = page | (vLow & inPage);
  if (!isNested) {
    if (gfn >>> 0 >= s[FRAMES]!) return outside(gfn);
    s[W_FRAME] = page;
    s[W_META] = raw | (shift << orderShift) | (shift << guestShift);
    return 1;
  }
  s[STOP_DURING] = 0;
  const pfn = nested(gfn, isStore !== 0 ? WRITE : kind & 2) | 0;
  if (pfn === -1) return 0;
  if (pfn >>> 0 >= s[FRAMES]!) return outside(pfn);
  const flags = s[N_FLAGS]!;
  if ((flags & WRITE) === 0) raw &= ~RAW_STORE;
  if ((flags & FETCHING) === 0) raw &= ~RAW_NESTED_X;
  const own = s[N_ORDER]! < shift ? s[N_ORDER]! : shift;
  s[W_FRAME] = (pfn >>> own) << own;
  s[W_META] = raw | (own << orderShift) | (shift << guestShift);
  return 1;
}
