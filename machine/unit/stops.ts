import { PF_FETCH, PF_SHADOW_STACK, PF_USER, PF_WRITE } from "../page-fault.ts";
import { STOP_EPT_VIOLATION, STOP_OUTSIDE, STOP_PAGE_FAULT } from "../mmu.ts";
import { LOADING, PAGING, STACK_KIND, STACK_LOADING, STACK_STORING, STORING } from "./rights.ts";
import { SECOND_SSS, hasPagingWrite, hasShadowStacks } from "./shape.ts";
import { STOP, STOP_ENTRY, STOP_ERROR, STOP_GFN, STOP_KIND, s } from "./state.ts";

/** `e` is the entry of the second stage that refused. */
export function violation(gfn: number, kind: number, e: number): number {
  s[STOP] = STOP_EPT_VIOLATION;
  s[STOP_ENTRY] = e;
  s[STOP_GFN] = gfn;
  s[STOP_KIND] = hasPagingWrite && kind === PAGING ? STORING : kind;
  if (SECOND_SSS !== 0 && kind >= STACK_LOADING) {
    s[STOP_KIND] = kind === STACK_STORING ? STORING : LOADING;
  }
  return -1;
}

export function pageFault(kind: number, error: number): number {
  s[STOP] = STOP_PAGE_FAULT;
  s[STOP_ERROR] =
    error |
    (hasShadowStacks && kind >= STACK_KIND ? PF_SHADOW_STACK : 0) |
    (kind & 4 ? PF_WRITE : 0) |
    (kind & 1 ? PF_USER : 0) |
    (kind & 2 ? PF_FETCH : 0);
  return 0;
}

export function outside(frame: number): number {
  s[STOP] = STOP_OUTSIDE;
  s[STOP_GFN] = frame;
  return 0;
}
