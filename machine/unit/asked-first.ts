import { PF_PRESENT, PF_RESERVED } from "../page-fault.ts";
import { C_REF_GUEST, c } from "./counts.ts";
import { firstRights, isMisaligned, setGuestBits } from "./first-marks.ts";
import { words } from "./given.ts";
import { nestedTable } from "./nested.ts";
import { refWhat, refWord } from "./references.ts";
import { TABLE_STORING } from "./rights.ts";
import {
  FIRST_A,
  FIRST_ALL,
  FIRST_BITS,
  FIRST_FRAME,
  FIRST_INDEX,
  FIRST_LEAF,
  FIRST_LOW,
  FIRST_RESERVED,
  RESTART,
  hasPagingWrite,
} from "./shape.ts";
import {
  ASKED_FRAME,
  ASKED_RIGHTS,
  ASKED_ROOT,
  ASKED_SHIFT,
  ASKED_UPPER,
  N_FLAGS,
  REFS,
  SHIFT,
  STOP_DURING,
  W_TABLE,
  W_VERIFIED,
  s,
} from "./state.ts";
import { pageFault } from "./stops.ts";
import { prefixLow } from "./walk-cache.ts";

/** What `descendAsked` gives where the tables say nothing of the page. */
export const RESTARTED = -2;

/**
 * A walk of the tables that are asked first: where the leaf is, with `s[ASKED_*]` about it, or -1 when stopped, or
 * `RESTARTED`. Off the hot path: no walk cache helps it.
 */
export function descendAsked(vLow: number, vHigh: number, kind: number): number {
  let shift = s[SHIFT]!;
  s[ASKED_SHIFT] = shift;
  if (s[ASKED_UPPER] !== 0 && (prefixLow(shift + FIRST_BITS - 1, vLow, vHigh) & 1) === 0) {
    return RESTARTED;
  }
  let frame = s[ASKED_ROOT]!;
  let rights = 15;
  s[STOP_DURING] = 1;
  if (hasPagingWrite) s[W_VERIFIED] = 1;
  for (;;) {
    const table = nestedTable(frame) | 0;
    if (table === -1) return -1;
    s[W_TABLE] = s[N_FLAGS]! & TABLE_STORING;
    const index = shift < 24 ? vLow >>> shift : prefixLow(shift, vLow, vHigh);
    const at = table | ((index & FIRST_INDEX) << 1);
    const e = words[at]!;
    const h = words[at + 1]!;
    const refs = s[REFS]!;
    refWord[refs] = at;
    refWhat[refs] = shift;
    s[REFS] = refs + 1;
    c[C_REF_GUEST] = c[C_REF_GUEST]! + 1;
    if ((e & FIRST_ALL) !== FIRST_ALL) return pageFault(kind, 0) - 1;
    if ((e & RESTART) !== 0) {
      s[ASKED_SHIFT] = shift;
      return RESTARTED;
    }
    if ((h & FIRST_RESERVED) !== 0) return pageFault(kind, PF_PRESENT | PF_RESERVED) - 1;
    rights &= firstRights(e, h);
    if (shift === FIRST_LOW || (e & FIRST_LEAF) !== 0) {
      if (shift !== FIRST_LOW && isMisaligned(shift, e)) {
        return pageFault(kind, PF_PRESENT | PF_RESERVED) - 1;
      }
      s[ASKED_SHIFT] = shift;
      s[ASKED_FRAME] = frame;
      s[ASKED_RIGHTS] = rights;
      return at;
    }
    if ((e & FIRST_A) === 0 && setGuestBits(at, e, FIRST_A, frame, true) === 0) return -1;
    frame = (e >>> FIRST_FRAME) | (h << (32 - FIRST_FRAME));
    shift = (shift - FIRST_BITS) | 0;
  }
}
