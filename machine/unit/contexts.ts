import { bgAge, bgHigh } from "./big.ts";
import { l1Age, l1High } from "./l1-ways.ts";
import { RAW_GLOBAL } from "./rights.ts";
import { fragments, isUniform4k, large } from "./sizes.ts";
import {
  CTX,
  CTX_GLOBAL,
  FRAGMENTS_LIVE,
  GLOBALS_LIVE,
  LARGE_LIVE,
  OVERLAP,
  SIZES,
  UNIFORM,
  s,
} from "./state.ts";
import { stBucket, stHigh, stHome } from "./stlb-ways.ts";
import { VALID, VPN_HIGH, contextShift, contextsMax, globalsOfVpid } from "./tags.ts";
import { pwAge, pwHigh } from "./walk-cache.ts";

export const contexts = new Map<number, number>();
let contextNext = 1;
let pcid = 0;
let vpid = 0;
/** Numbers of the views that have been seen, by the root of their nested tables; without any there is number 0. */
const views = new Map<number | null, number>();
let view = 0;
/** Whose contexts those of today are: a number of the VPID and the view. */
let owner = 0;
const viewsMax = 2 ** 20;

export function intern(key: number): number {
  let context = contexts.get(key);
  if (context === undefined) {
    if (contextNext === contextsMax) forget();
    context = contextNext;
    contextNext += 1;
    contexts.set(key, context);
  }
  return VALID | (context << contextShift);
}

/** All names are used up: clear the arrays for real and start again. */
function forget(): void {
  for (const array of [l1High, stHigh, bgHigh, pwHigh]) array.fill(0);
  for (const array of [l1Age, bgAge, pwAge]) array.fill(0);
  stBucket.fill(0);
  stHome.fill(0);
  contexts.clear();
  contextNext = 1;
  s[GLOBALS_LIVE] = 0;
  nameContexts();
}

/** Interns what the current VPID and PCID tag with; global entries of a VPID share a name of their own. */
export function nameContexts(): void {
  s[CTX_GLOBAL] = intern(keyOf(globalsOfVpid));
  s[CTX] = intern(keyOf(pcid));
}

export function keyOf(id: number): number {
  return owner * 2 * globalsOfVpid + id;
}

export function rename(): void {
  contexts.clear();
  s[GLOBALS_LIVE] = 0;
  s[SIZES] = 0;
  s[UNIFORM] = isUniform4k ? 0 : -1;
  if (s[FRAGMENTS_LIVE] !== 0) fragments.fill(0);
  if (s[LARGE_LIVE] !== 0) large.fill(0);
  s[LARGE_LIVE] = 0;
  s[FRAGMENTS_LIVE] = 0;
  s[OVERLAP] = 0;
  nameContexts();
}

/** A global entry replaces those of single PCIDs: no lookup may find two entries. */
export function isReplaced(tagHigh: number, vHigh: number): boolean {
  if ((tagHigh & VPN_HIGH) !== vHigh || tagHigh === 0) return false;
  for (const [key, context] of contexts) {
    if (Math.floor(key / (2 * globalsOfVpid)) !== owner) continue;
    if ((tagHigh & ~VPN_HIGH) === (VALID | (context << contextShift))) return true;
  }
  return false;
}

/** Another PCID's entries are used from here on; nothing is flushed. */
export function usePcid(id: number): void {
  pcid = id;
  s[CTX] = intern(keyOf(id));
}

/** Another VPID tags from here on, once contexts are named. */
export function useVpid(id: number): void {
  vpid = id;
  owner = vpid * viewsMax + view;
}

/** Translations of the nested tables at `root` are used from here on, once contexts are named. */
export function useView(root: number | null): void {
  view = views.get(root) ?? views.size;
  views.set(root, view);
  owner = vpid * viewsMax + view;
}

/** No view's translations are cached any more. */
export function forgetViews(): void {
  views.clear();
}

/** What the guest drops it drops in every view (SDM vol. 3C 29.4.3.1). */
export function inEachView(drop: () => void): void {
  if (views.size === 1) {
    drop();
    return;
  }
  const own = view;
  for (const other of views.values()) {
    owner = vpid * viewsMax + other;
    nameContexts();
    drop();
  }
  owner = vpid * viewsMax + own;
  nameContexts();
}

export function forgetContexts(): void {
  contexts.clear();
  contextNext = 1;
  pcid = 0;
  vpid = 0;
  views.clear();
}

/** Names of the current VPID's contexts, but for its global entries'. */
export function ownContexts(): Set<number> {
  const own = new Set<number>();
  for (const [key, context] of contexts) {
    const isOwn = Math.floor(key / (2 * globalsOfVpid)) === owner;
    if (isOwn && key !== keyOf(globalsOfVpid)) own.add(VALID | (context << contextShift));
  }
  return own;
}

/** Does nothing but `id`'s entries lie in the caches? */
export function isAlone(id: number): boolean {
  return id === pcid && contexts.size === 2 && s[GLOBALS_LIVE] === 0;
}

export function contextOf(raw: number): number {
  return (raw & RAW_GLOBAL) !== 0 ? s[CTX_GLOBAL]! : s[CTX]!;
}
