import { USER_MAY } from "../formats/format.ts";
import { next, words } from "./given.ts";
import { leafHash, nestedLeaves } from "./look-ahead.ts";
import { isVerified, mayMark, nestedRights, pagingFlags, setNestedBits } from "./nested-marks.ts";
import {
  FETCHING,
  FETCHING_USER,
  PAGING,
  STACK_LOADING,
  STACK_STORING,
  STORING,
} from "./rights.ts";
import {
  SECOND_A,
  SECOND_D,
  SECOND_FRAME,
  SECOND_INDEX,
  SECOND_LOW,
  SECOND_SSS,
  SECOND_VERIFY,
  hasPagingWrite,
  hasSubPages,
  secondAsksUser,
  secondByMode,
  secondRefuses,
} from "./shape.ts";
import { FRAMES, NESTED_AD, N_FLAGS, N_ORDER, N_TABLE, STOP_DURING, s } from "./state.ts";
import { nestedStack } from "./shadow-stacks.ts";
import { violation } from "./stops.ts";
import { askSubPages, mayAskSubPages } from "./sub-pages.ts";
import { link } from "./tables.ts";

/** The leaf of the second stage at `i`, of a page of order `shift`: that page's first frame, or -1; sets `s[N_*]`. */
export function leaveNested(
  gfn: number,
  kind: number,
  i: number,
  shift: number,
  rights: number,
): number {
  let e = words[i]!;
  const h = words[i + 1]!;
  if (shift === SECOND_LOW) nestedLeaves[leafHash(gfn)] = i & ~(SECOND_INDEX << 1);
  const own: number = rights & nestedRights(e, h);
  const needed = secondByMode && kind === FETCHING_USER ? USER_MAY : 1 << kind;
  let refused: boolean = (own & needed) === 0;
  let paging = 0;
  if (hasPagingWrite) {
    paging = mayMark(own, e, h) | 0;
    refused = (kind === PAGING ? paging === 0 : refused) || !isVerified(h & SECOND_VERIFY);
  }
  if (secondAsksUser) refused = refused || (own & USER_MAY) === 0;
  if (hasSubPages && refused && mayAskSubPages(kind, shift, own, h)) {
    const answer = askSubPages(gfn) | 0;
    if (answer === -1) return -1;
    refused = answer === 0;
  }
  let stack = 0;
  if (SECOND_SSS !== 0) {
    stack = nestedStack(rights, own, h) | 0;
    if (kind >= STACK_LOADING) refused = stack === 0;
  }
  if (refused) return violation(gfn, kind, e);
  let storable = (own >>> 1) & 1;
  if (secondRefuses) {
    const wanted = SECOND_A | (kind === STORING ? SECOND_D : 0);
    if ((e & wanted) !== wanted) return violation(gfn, kind, e);
    if ((e & SECOND_D) !== SECOND_D) storable = 0;
  }
  if (s[NESTED_AD] !== 0) {
    const isStore: boolean =
      kind === STORING ||
      (hasPagingWrite && kind === PAGING) ||
      (SECOND_SSS !== 0 && kind === STACK_STORING);
    const wanted = SECOND_A | (isStore ? SECOND_D : 0);
    if ((e & wanted) !== wanted) {
      e = setNestedBits(i, e, wanted, gfn) | 0;
      if (e === 0) return -1;
    }
    if ((e & SECOND_D) !== SECOND_D) {
      storable = paging = 0;
      if (SECOND_SSS !== 0) stack &= STACK_LOADING;
    }
  }
  const start = ((e >>> SECOND_FRAME) | (h << (32 - SECOND_FRAME))) & (-1 << shift);
  // Of a guest table it pays to know where it starts, beside its nested entry: a load of `slotOf`, scattered over
  // all of memory, less per table. Of data nobody asks.
  let table = 0;
  if (shift === 0 && s[STOP_DURING] !== 0) {
    table = next[i >>> 1]!;
    if (table === 0 && start >>> 0 < s[FRAMES]!) table = link(i, SECOND_FRAME) | 0;
  }
  s[N_ORDER] = shift;
  s[N_FLAGS] = storable | ((own >>> 1) & (secondByMode ? FETCHING | FETCHING_USER : FETCHING));
  if (hasPagingWrite) {
    s[N_FLAGS] = s[N_FLAGS] | paging | pagingFlags(h);
  }
  if (SECOND_SSS !== 0) s[N_FLAGS] = s[N_FLAGS] | stack;
  s[N_TABLE] = table;
  return start;
}
