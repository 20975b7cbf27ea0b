import {
  SPP_RESERVED_HIGH,
  SPP_RESERVED_LOW,
  SPP_RESERVED_ODD,
  SPP_VALID,
} from "../formats/sub-pages.ts";
import { MAY_READ } from "../formats/format.ts";
import { STOP_SUB_PAGE_MALFORMED, STOP_SUB_PAGE_MISS } from "../mmu.ts";
import { words } from "./given.ts";
import { refWhat, refWord } from "./references.ts";
import { STORING } from "./rights.ts";
import { SECOND_SPP } from "./shape.ts";
import { LINES, REFS, STOP, STOP_DURING, STOP_GFN, STOP_KIND, SUB_PAGES, s } from "./state.ts";
import { tableAt } from "./tables.ts";

/** Bits of the frame's number below its index into the root. */
const rootShift = 27;

/** Is it only W that a store of the guest's lacks, at a leaf of order `shift` that says there is more to ask? */
export function mayAskSubPages(kind: number, shift: number, own: number, h: number): boolean {
  return (
    kind === STORING &&
    s[STOP_DURING] === 0 &&
    shift === 0 &&
    (h & SECOND_SPP) !== 0 &&
    (own & MAY_READ) !== 0 &&
    s[SUB_PAGES] !== -1
  );
}

/** 1 if the guest may store to all lines of the page that it touches, 0 if not, -1 with the stop filled in. */
export function askSubPages(gfn: number): number {
  let table = s[SUB_PAGES]!;
  let refs = s[REFS]!;
  for (let shift = rootShift; ; shift -= 9) {
    const at = table | (((gfn >>> shift) & 511) << 1);
    const e = words[at]!;
    const h = words[at + 1]!;
    refWord[refs] = at;
    refWhat[refs] = 64 | shift;
    refs = (refs + 1) | 0;
    s[REFS] = refs;
    if (shift === 0) {
      if (((e | h) & SPP_RESERVED_ODD) !== 0) return event(STOP_SUB_PAGE_MALFORMED, gfn);
      return isRefused(e, s[LINES]! & 0xffff) || isRefused(h, s[LINES]! >>> 16) ? 0 : 1;
    }
    if ((e & SPP_VALID) === 0) return event(STOP_SUB_PAGE_MISS, gfn);
    if ((e & SPP_RESERVED_LOW) !== 0 || (h & SPP_RESERVED_HIGH) !== 0) {
      return event(STOP_SUB_PAGE_MALFORMED, gfn);
    }
    table = tableAt((e >>> 12) | (h << 20)) | 0;
    if (table === -1) return -1;
  }
}

/** Of 16 lines, a bit each, does half a vector refuse one? */
function isRefused(half: number, lines: number): boolean {
  for (let left = lines, at = half; left !== 0; left >>>= 1, at >>>= 2) {
    if ((left & 1) !== 0 && (at & 1) === 0) return true;
  }
  return false;
}

function event(reason: number, gfn: number): number {
  s[STOP] = reason;
  s[STOP_GFN] = gfn;
  s[STOP_KIND] = STORING;
  return -1;
}
