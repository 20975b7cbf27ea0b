import { allLines } from "../formats/sub-pages.ts";
import { FETCH, HIGH_MASK, SHADOW_STACK, STOP_NONE, WHOLE_PAGE } from "../mmu.ts";
import {
  C_FETCHES,
  C_L1,
  C_REF_GUEST,
  C_REF_NESTED,
  C_STORES,
  C_WALKS,
  c,
  spill,
} from "./counts.ts";
import { high, low } from "./given.ts";
import { hint, l1Age, l1Frame, l1Mask } from "./l1-ways.ts";
import { hintShift, slow } from "./miss.ts";
import { oneSize } from "./one-size.inline.ts";
import { plainHits } from "./plain-hits.inline.ts";
import { rerank } from "./recency.ts";
import { hasShadowStacks, hasSubPages } from "./shape.ts";
import { orderHere } from "./sizes.ts";
import {
  AHEAD,
  CTX,
  CTX_GLOBAL,
  LAST,
  LINES,
  OVERLAP,
  STOP,
  SUM,
  TICK,
  WALKS_BEFORE,
  s,
} from "./state.ts";

export function run(from: number, to: number): number {
  rerank();
  const end = to | 0;
  const context = s[CTX]!;
  const globals = s[CTX_GLOBAL]!;
  let shift = hintShift() | 0;
  let tick = s[TICK]!;
  let sum = 0;
  let hits = 0;
  let stores = 0;
  let fetches = 0;
  let k = from | 0;
  let lastWay = -1;
  s[AHEAD] = k;
  s[WALKS_BEFORE] = c[C_WALKS]!;
  s[STOP] = STOP_NONE;
  while (k < end) {
    plainHits(context, globals, end, shift);
    if (k >= end) break;
    const hw = high[k]!;
    const vLow = (low[k]! >>> 12) | (hw << 20);
    const order = orderHere(vLow) | 0;
    let way = -1;
    if (hasSubPages) s[LINES] = (hw & WHOLE_PAGE) !== 0 ? allLines : 1 << ((low[k]! >>> 7) & 31);
    if (order >= 0 && (hw & (hasShadowStacks ? FETCH | SHADOW_STACK : FETCH)) === 0) {
      way = oneSize(hw, vLow, order, context, globals, end);
      if (way === -2) break;
    }
    if (way >= 0) {
      tick = (tick + 1) | 0;
      l1Age[way] = tick;
      const key = vLow >>> order;
      if (s[OVERLAP] === 0 || l1Mask[way] === -1) hint[(key ^ (key >>> 10)) & 1023] = way;
      sum = (sum + l1Frame[way]!) | 0;
    } else {
      s[TICK] = tick;
      way = slow(vLow, (hw & HIGH_MASK) >>> 12, hw) | 0;
      tick = s[TICK]!;
      shift = hintShift() | 0;
      if (way === -2) break;
      fetches = (fetches + ((hw >>> 30) & 1)) | 0;
    }
    stores = (stores + (hw >>> 31)) | 0;
    lastWay = way;
    k = (k + 1) | 0;
  }
  s[TICK] = tick;
  s[SUM] = (s[SUM]! + sum) | 0;
  if (lastWay >= 0) {
    const vLow = (low[k - 1]! >>> 12) | (high[k - 1]! << 20);
    s[LAST] = l1Frame[lastWay]! + (vLow & ~l1Mask[lastWay]!);
  }
  c[C_L1] = (c[C_L1]! + hits) | 0;
  c[C_STORES] = (c[C_STORES]! + stores) | 0;
  c[C_FETCHES] = (c[C_FETCHES]! + fetches) | 0;
  // No other counter grows faster than these, at most 64 references per access, a batch at a time.
  if (Math.max(c[C_L1]!, c[C_REF_GUEST]!, c[C_REF_NESTED]!) > 0x3fff_0000) spill();
  return k;
}
