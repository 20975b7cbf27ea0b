import { PF_PRESENT } from "../page-fault.ts";
import {
  MAY_EXECUTE,
  MAY_READ,
  MAY_WRITE,
  SUPERVISOR_MAY_EXECUTE,
  USER_MAY,
} from "../formats/format.ts";
import { setGuestBits } from "./first-marks.ts";
import { words } from "./given.ts";
import { cachedOrder } from "./levels.ts";
import { nested } from "./nested.ts";
import {
  FETCHING,
  FETCHING_USER,
  LOADING,
  RAW_GLOBAL,
  RAW_NESTED_X,
  RAW_STORE,
  RAW_SUPERVISOR_X,
  STACK_KIND,
  STORING,
  guestShift,
  orderShift,
} from "./rights.ts";
import {
  FIRST_A,
  FIRST_D,
  FIRST_FLIP,
  FIRST_FRAME,
  FIRST_G,
  RESTART,
  firstFetchesByMode,
  firstMarks,
  firstMayRefuseLoads,
  firstRefuses,
  hasOddPages,
  hasShadowStacks,
  secondByMode,
} from "./shape.ts";
import {
  ASKED_SHIFT,
  FRAMES,
  GLOBAL_PAGES,
  N_FLAGS,
  N_ORDER,
  STOP_DURING,
  WRITE_PROTECT,
  W_FRAME,
  W_META,
  s,
} from "./state.ts";
import { stackKind, stackOf, stackRefused } from "./shadow-stacks.ts";
import { outside, pageFault } from "./stops.ts";

/**
 * The leaf of the first stage at `i`: rights, A and D, and the page itself through the second stage. 0 when stopped,
 * else `s[W_*]` say what the walk found.
 */
export function leaveFirst(
  vLow: number,
  kind: number,
  i: number,
  shift: number,
  rights: number,
  frame: number,
  isThrough: boolean,
): number {
  // As if no bit were written the other way round: none is in the frame number.
  let e = words[i]! ^ FIRST_FLIP;
  const h = words[i + 1]!;
  const isStore = (kind >>> 2) & 1;
  const isUser = (kind & 1) !== 0;
  const fetchRight = firstFetchesByMode && !isUser ? SUPERVISOR_MAY_EXECUTE : MAY_EXECUTE;
  if (hasShadowStacks && kind >= STACK_KIND) {
    if (stackOf(e, rights) === 0 || isUser !== ((rights & USER_MAY) !== 0)) {
      return pageFault(kind, PF_PRESENT);
    }
  } else if (
    (isStore !== 0 && (rights & MAY_WRITE) === 0 && (isUser || s[WRITE_PROTECT] !== 0)) ||
    (isUser && (rights & USER_MAY) === 0) ||
    ((kind & 2) !== 0 && (rights & fetchRight) === 0) ||
    (firstMayRefuseLoads && kind < 2 && (rights & MAY_READ) === 0) ||
    (firstRefuses && ((e & FIRST_A) !== FIRST_A || (isStore !== 0 && (e & FIRST_D) !== FIRST_D)))
  ) {
    return pageFault(kind, PF_PRESENT);
  }
  const need = firstMarks ? FIRST_A | (isStore !== 0 ? FIRST_D : 0) : 0;
  if ((e & need) !== need) {
    if (setGuestBits(i, e ^ FIRST_FLIP, need, frame, isThrough) === 0) return 0;
    e |= need;
  }
  const inPage = (1 << shift) - 1;
  const page = ((e >>> FIRST_FRAME) | (h << (32 - FIRST_FRAME))) & ~inPage;
  let raw = ((rights >>> 1) & 1) | ((rights >>> 2) & 2) | (rights & 4) | RAW_NESTED_X;
  if (((firstFetchesByMode ? rights >>> 2 : rights) & 4) !== 0) raw |= RAW_SUPERVISOR_X;
  if ((!firstMarks && !firstRefuses) || (e & FIRST_D) === FIRST_D) raw |= RAW_STORE;
  if ((e & FIRST_G) !== 0 && s[GLOBAL_PAGES] !== 0) raw |= RAW_GLOBAL;
  if (hasShadowStacks) raw |= stackOf(e, rights);
  const gfn = page | (vLow & inPage);
  if (!isThrough) {
    if (gfn >>> 0 >= s[FRAMES]!) return outside(gfn);
    const whole: number = hasOddPages ? cachedOrder(shift) : shift;
    s[W_FRAME] = hasOddPages ? (gfn >>> whole) << whole : page;
    s[W_META] = raw | (whole << orderShift) | (shift << guestShift);
    return 1;
  }
  s[STOP_DURING] = 0;
  const fetching: number = secondByMode && (rights & USER_MAY) !== 0 ? FETCHING_USER : FETCHING;
  let asked: number = isStore !== 0 ? STORING : (kind & 2) !== 0 ? fetching : LOADING;
  if (hasShadowStacks && kind >= STACK_KIND) asked = stackKind(isStore, rights);
  const pfn = nested(gfn, asked) | 0;
  if (pfn === -1) return 0;
  if (pfn >>> 0 >= s[FRAMES]!) return outside(pfn);
  const flags = s[N_FLAGS]!;
  if ((flags & STORING) === 0) raw &= ~RAW_STORE;
  if ((flags & fetching) === 0) raw &= ~RAW_NESTED_X;
  if (hasShadowStacks) raw &= ~stackRefused(flags, rights);
  let own = s[N_ORDER]! < shift ? s[N_ORDER]! : shift;
  // Beside the page may lie one that the tables asked first do not leave to the guest's.
  if (RESTART !== 0 && s[ASKED_SHIFT]! < own) own = s[ASKED_SHIFT]!;
  if (hasOddPages) own = cachedOrder(own);
  s[W_FRAME] = (pfn >>> own) << own;
  s[W_META] = raw | (own << orderShift) | (shift << guestShift);
  return 1;
}
