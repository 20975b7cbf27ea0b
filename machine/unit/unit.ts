import type { Gfn, Pfn } from "../address.ts";
import type { MmuRoot } from "../mmu.ts";
import { type Unit, high, low, room, roomStart } from "./given.ts";
import { contexts, inEachView, intern, keyOf, ownContexts, rename, usePcid } from "./contexts.ts";
import { configure, powerOn, switchView } from "./control.ts";
import {
  C_CONTEXT,
  C_LINEAR,
  C_NESTED_FLUSH,
  C_PAGE,
  collect,
  count,
  lengthTotals,
  totals,
} from "./counts.ts";
import {
  dropContext,
  dropContexts,
  dropNestedAll,
  dropPage,
  dropWalkCache,
  invalidateFault,
  invalidateViolation,
} from "./invalidate.ts";
import { isNestedPresent } from "./nested-marks.ts";
import { lastWalk } from "./references.ts";
import { LOADING, STORING } from "./rights.ts";
import { run } from "./run.ts";
import { secondMalformed } from "./shape.ts";
import {
  CTX,
  CTX_GLOBAL,
  KEPT_TABLE,
  LAST,
  PML,
  PML_INDEX,
  ROOT,
  ROOT_SWITCHED,
  STOP,
  STOP_DURING,
  STOP_ENTRY,
  STOP_ERROR,
  STOP_GFN,
  STOP_KIND,
  STOP_SWITCHED,
  SUM,
  s,
} from "./state.ts";

/** Everything in the room goes back to what it is now, when nothing has happened yet. */
const restore = room.remember(roomStart);
powerOn();

export const mmu: Unit = {
  low,
  high,
  run,
  lastPfn: () => (s[LAST]! >>> 0) as Pfn,
  stopReason: () => s[STOP]!,
  stopError: () => s[STOP_ERROR]!,
  stopGfn: () => (s[STOP_GFN]! >>> 0) as Gfn,
  stopKind: () =>
    s[STOP_KIND] === STORING ? "write" : s[STOP_KIND] === LOADING ? "read" : "fetch",
  stopDuringWalk: () => s[STOP_DURING] !== 0,
  stopIsPresent: () => isNestedPresent(s[STOP_ENTRY]!),
  stopIsMalformed: () => secondMalformed(s[STOP_ENTRY]!),
  stopSwitched: () => s[STOP_SWITCHED] !== 0,

  configure,
  setPml(buffer) {
    s[PML] = buffer ?? -1;
  },
  pmlIndex: () => s[PML_INDEX]!,
  takeOver(from) {
    s[PML_INDEX] = from.pmlIndex();
    s[LAST] = from.lastPfn();
  },
  resetPml() {
    s[PML_INDEX] = 511;
  },
  setRoot(root: MmuRoot) {
    s[ROOT] = root.frame;
    s[ROOT_SWITCHED] = root.isSwitched === true ? 1 : 0;
    s[KEPT_TABLE] = 0;
    usePcid(root.pcid);
  },

  switchView,

  invalidatePage(vpn) {
    count(C_PAGE);
    inEachView(() => {
      dropPage(vpn, s[CTX]!, s[CTX_GLOBAL]!);
      dropWalkCache(s[CTX]!);
    });
  },
  invalidatePageOf(vpn, id) {
    count(C_PAGE);
    inEachView(() => {
      if (!contexts.has(keyOf(id))) return;
      const context = intern(keyOf(id));
      dropPage(vpn, context, context);
      dropWalkCache(context);
    });
  },
  invalidateLeafOf(vpn, id) {
    count(C_PAGE);
    inEachView(() => {
      if (!contexts.has(keyOf(id))) return;
      const context = intern(keyOf(id));
      dropPage(vpn, context, context);
    });
  },
  invalidateFault,
  flushContext(id) {
    count(C_CONTEXT);
    inEachView(() => dropContext(id));
  },
  flushNonGlobal() {
    count(C_CONTEXT);
    inEachView(() => {
      const own = ownContexts();
      dropContexts((context) => own.has(context));
    });
  },
  flushLinear() {
    count(C_LINEAR);
    rename();
  },
  flushNested() {
    count(C_NESTED_FLUSH);
    rename();
    dropNestedAll();
  },
  invalidateViolation,

  collect,
  reset() {
    restore();
    totals.fill(0);
    lengthTotals.fill(0);
    powerOn();
  },
  checksum: () => s[SUM]! >>> 0,
  lastWalk,
};
