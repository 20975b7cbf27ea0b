import { MAY_READ, MAY_WRITE, USER_MAY } from "../formats/format.ts";
import {
  LOADING,
  META_STACK,
  META_STACK_LOAD,
  META_STACK_STORE,
  STACK_LOADING,
  STACK_STORING,
  STORING,
} from "./rights.ts";
import { FIRST_D, SECOND_SSS } from "./shape.ts";
import { W_ABOVE, s } from "./state.ts";

/** Of a leaf of the first stage at the end of a path with these rights: `META_STACK` if its page is a shadow stack's. */
export function stackOf(e: number, rights: number): number {
  const isStack =
    (s[W_ABOVE]! & MAY_WRITE) !== 0 && (rights & MAY_WRITE) === 0 && (e & FIRST_D) !== 0;
  return isStack ? META_STACK : 0;
}

/** What a shadow-stack access asks of the second stage. */
export function stackKind(isStore: number, rights: number): number {
  if (SECOND_SSS !== 0 && (rights & USER_MAY) === 0) {
    return isStore !== 0 ? STACK_STORING : STACK_LOADING;
  }
  return isStore !== 0 ? STORING : LOADING;
}

/** What the second stage does not let such accesses do without a walk, of `META_STACK`. */
export function stackRefused(flags: number, rights: number): number {
  if (SECOND_SSS === 0 || (rights & USER_MAY) !== 0) {
    return (flags & STORING) === 0 ? META_STACK_STORE : 0;
  }
  return (
    ((flags & STACK_LOADING) === 0 ? META_STACK_LOAD : 0) |
    ((flags & STACK_STORING) === 0 ? META_STACK_STORE : 0)
  );
}

/** Flags of a nested leaf below entries with the rights `above`: may the supervisor's shadow stack be there? */
export function nestedStack(above: number, own: number, h: number): number {
  const isStack = (above & MAY_WRITE) !== 0 && (own & MAY_READ) !== 0 && (h & SECOND_SSS) !== 0;
  return isStack ? STACK_LOADING | STACK_STORING : 0;
}
