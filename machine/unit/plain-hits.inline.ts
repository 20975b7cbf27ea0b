import { HIGH_MASK, STORE } from "../mmu.ts";
import { high, low } from "./given.ts";
import { hasShadowStacks } from "./shape.ts";
import { hint, l1Age, l1Deny, l1Frame, l1High, l1Low, l1Mask } from "./l1-ways.ts";

declare let k: number;
declare let tick: number;
declare let hits: number;
declare let stores: number;
declare let fetches: number;
declare let sum: number;
declare let lastWay: number;

/**
 * Accesses from `k` on that hit where the hint says, with every right they need. A call in this loop would make V8 spill
 * every variable around it (4.6 to 1.5 ns). A wrong hint only costs a search: the tag is checked.
 */
export function plainHits(context: number, globals: number, end: number, shift: number): void {
  while (k < end) {
    const lo = low[k]!;
    const hw = high[k]!;
    const vLow = (lo >>> 12) | (hw << 20);
    const vHigh = (hw & HIGH_MASK) >>> 12;
    const key = vLow >>> shift;
    const w = hint[((key ^ (key >>> 10)) & 1023) | ((hw >>> 20) & 1024)]!;
    const mask = l1Mask[w]!;
    if (((l1Low[w]! ^ vLow) & mask) !== 0) break;
    const tag = l1High[w]!;
    if (tag !== (context | vHigh) && tag !== (globals | vHigh)) break;
    const deny = l1Deny[w]!;
    if ((hw & deny) !== 0) break;
    tick = (tick + 1) | 0;
    l1Age[w] = tick;
    // Further accesses of the port to the same page, by the same privilege, are hits that change no recency;
    // where stores may not be, they end the run.
    const k0 = k;
    const byteMask = mask << 12;
    const kindMask = (hasShadowStacks ? 0x69ff_ffff : 0x61ff_ffff) | (deny & STORE);
    stores = (stores + (hw >>> 31)) | 0;
    k = (k + 1) | 0;
    while (k < end) {
      const hx = high[k]!;
      if ((((low[k]! ^ lo) & byteMask) | ((hx ^ hw) & kindMask)) !== 0) break;
      stores = (stores + (hx >>> 31)) | 0;
      k = (k + 1) | 0;
    }
    const length = (k - k0) | 0;
    hits = (hits + length) | 0;
    fetches = (fetches + Math.imul(length, (hw >>> 30) & 1)) | 0;
    sum = (sum + Math.imul(length, l1Frame[w]!)) | 0;
    lastWay = w;
  }
}
