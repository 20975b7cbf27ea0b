import { C_A, C_D, c } from "./counts.ts";
import { words } from "./given.ts";
import { STORING } from "./rights.ts";
import { createRights } from "./rights-of.t.ts";
import {
  FIRST_A,
  FIRST_CHECKS,
  FIRST_D,
  FIRST_FLIP,
  FIRST_FRAME,
  firstLeafShift,
  firstRightsMasks,
  SECOND_PLAIN,
} from "./shape.ts";
import { W_TABLE, s } from "./state.ts";
import { violation } from "./stops.ts";

export const firstRights = createRights(firstRightsMasks, FIRST_FLIP);

/** A leaf above level 1: address bits below its page, or where no page is. */
export function isMisaligned(shift: number, e: number): boolean {
  if (shift > firstLeafShift) return true;
  // The lowest bit of a frame number is PAT's, which is not modelled.
  return FIRST_CHECKS && (e & ((1 << (shift + FIRST_FRAME)) - 1) & (-2 << FIRST_FRAME)) !== 0;
}

/**
 * Sets `bits` (A, D) in an entry of the first stage. Silicon knows from the translation of the entry's table, which it
 * has just used, whether it may write there: 0 with the violation filled in when it may not.
 */
export function setGuestBits(
  i: number,
  e: number,
  bits: number,
  table: number,
  isThrough: boolean,
): number {
  if (isThrough && s[W_TABLE] === 0) {
    violation(table, STORING, SECOND_PLAIN);
    return 0;
  }
  const before = e ^ FIRST_FLIP;
  if ((bits & FIRST_A & ~before) !== 0) c[C_A] = c[C_A]! + 1;
  if ((bits & FIRST_D & ~before) !== 0) c[C_D] = c[C_D]! + 1;
  words[i] = (before | bits) ^ FIRST_FLIP;
  return 1;
}
