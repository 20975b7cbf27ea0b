import type { Pfn } from "../address.ts";
import { STOP_PML_FULL } from "../mmu.ts";
import { C_A, C_D, C_PML, c } from "./counts.ts";
import { MAY_WRITE } from "../formats/format.ts";
import { memory, words } from "./given.ts";
import { PAGING, VERIFIED, VERIFIES } from "./rights.ts";
import { createRights } from "./rights-of.t.ts";
import {
  SECOND_A,
  SECOND_ALL,
  SECOND_ANY,
  SECOND_D,
  SECOND_FLIP,
  SECOND_PW,
  SECOND_VERIFY,
  secondLinksPlain,
  secondRights,
} from "./shape.ts";
import { NESTED_AD, PML, PML_INDEX, STOP, STOP_DURING, STOP_GFN, W_VERIFIED, s } from "./state.ts";

const rightsOf = createRights(secondRights, SECOND_FLIP);

export function isNestedPresent(e: number): boolean {
  return (e & SECOND_ALL) === SECOND_ALL && (e & SECOND_ANY) !== 0;
}

/** `MAY_READ`, `MAY_WRITE`, `MAY_EXECUTE`, `USER_MAY` of an entry of the second stage; 0 of one that is not present. */
export function nestedRights(e: number, h: number): number {
  if (!isNestedPresent(e)) return 0;
  return rightsOf(e, h) | 0;
}

/** `PAGING` if walks may write to the page of a leaf with these rights, else 0. */
export function mayMark(own: number, e: number, h: number): number {
  const byBit: boolean = (h & SECOND_PW) !== 0 && isNestedPresent(e);
  return (own & MAY_WRITE) !== 0 || byBit ? PAGING : 0;
}

/** What a leaf's high half says of its page, for the nested TLB. */
export function pagingFlags(h: number): number {
  return ((h & SECOND_PW) !== 0 ? VERIFIED : 0) | ((h & SECOND_VERIFY) !== 0 ? VERIFIES : 0);
}

/** May a page that asks for verified tables, or not (0), be reached as this walk reaches it? Tables do not ask. */
export function isVerified(asks: number): boolean {
  return asks === 0 || s[STOP_DURING] !== 0 || s[W_VERIFIED] !== 0;
}

/** An entry above the leaves that is not plain: sets A, returns its rights, 0 when it leads nowhere. */
export function passNested(i: number, e: number): number {
  const own = nestedRights(e, words[i + 1]!) | 0;
  if (secondLinksPlain) return isNestedPresent(e) ? 15 : 0;
  const accessed = s[NESTED_AD] === 0 || own === 0 ? 0 : SECOND_A;
  if ((e & accessed) !== accessed) {
    words[i] = e | accessed;
    c[C_A] = c[C_A]! + 1;
  }
  return own;
}

/** Sets A and D of a nested leaf, logging the page when D is new. Returns 0 when the log is full. */
export function setNestedBits(i: number, e: number, need: number, gfn: number): number {
  const dirty = need & SECOND_D;
  if (dirty !== 0 && (e & dirty) === 0) {
    if (s[PML]! >= 0) {
      if (s[PML_INDEX]! < 0) {
        s[STOP] = STOP_PML_FULL;
        s[STOP_GFN] = gfn;
        return 0;
      }
      memory.write(s[PML] as Pfn, s[PML_INDEX]!, gfn << 12, gfn >>> 20);
      s[PML_INDEX] = s[PML_INDEX]! - 1;
      c[C_PML] = c[C_PML]! + 1;
    }
    c[C_D] = c[C_D]! + 1;
  }
  if ((need & ~dirty & ~e) !== 0) c[C_A] = c[C_A]! + 1;
  words[i] = e | need;
  return e | need;
}
