/** What an access asks for, in entries and in error codes. */
import { withAccessed, withUser, withWrite } from "../../machine/formats/x86-entry.ts";
import { FETCH, SHADOW_STACK, STORE, USER } from "../../machine/mmu.ts";
import { PF_FETCH, PF_SHADOW_STACK, PF_USER, PF_WRITE } from "../../machine/page-fault.ts";

/** Flags that every entry of a walk must have for this access. */
export function rightsNeeded(kind: number, writeProtect: boolean): number {
  const user = (kind & USER) !== 0;
  const store = (kind & STORE) !== 0 && (user || writeProtect);
  const needed = withAccessed(user ? withUser(0) : 0);
  return store ? withWrite(needed) : needed;
}

/** What the error code must say about the access itself. */
export function kindBits(high: number): number {
  const store = (high & STORE) !== 0 ? PF_WRITE : 0;
  const fetch = (high & FETCH) !== 0 ? PF_FETCH : 0;
  const stack = (high & SHADOW_STACK) !== 0 ? PF_SHADOW_STACK : 0;
  return store | fetch | stack | ((high & USER) !== 0 ? PF_USER : 0);
}
