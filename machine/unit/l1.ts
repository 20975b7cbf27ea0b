import { bankBase, bankMask, bankOrder, bankWays, l1Age, l1High, l1Low } from "./l1-ways.ts";
import { hasLarge } from "./sizes.ts";
import { CTX_GLOBAL, s } from "./state.ts";
import { VPN_HIGH } from "./tags.ts";

export function findL1(vLow: number, tagHigh: number, code: number): number {
  const globalHigh = s[CTX_GLOBAL]! | (tagHigh & VPN_HIGH);
  for (let b = code === 0 ? 0 : 3, last = code === 0 ? 3 : 5; b < last; b++) {
    const own = bankWays[b]!;
    const order = bankOrder[b]!;
    if (order !== 0 && !hasLarge()) break;
    const tag = (vLow >>> order) << order;
    const base = (bankBase[b]! + ((vLow >>> order) & bankMask[b]!) * own) | 0;
    for (let w = base, end = (base + own) | 0; w < end; w = (w + 1) | 0) {
      if (l1Low[w] === tag) {
        const h = l1High[w]!;
        if (h === tagHigh || h === globalHigh) return w;
      }
    }
  }
  return -1;
}

/** The bank for a page of `order`: its own or that of the next smaller size; below the port's first if none. */
export function bankFor(code: number, order: number): number {
  let b = code === 0 ? (order / 9) | 0 : order === 0 ? 3 : 4;
  const first = code === 0 ? 0 : 3;
  while (b >= first && bankWays[b] === 0) b--;
  return b;
}

export function dropDuplicate(b: number, vLow: number, tagHigh: number): void {
  if (b < 0 || bankWays[b] === 0) return;
  const order = bankOrder[b]!;
  const globalHigh = s[CTX_GLOBAL]! | (tagHigh & VPN_HIGH);
  const base = bankBase[b]! + ((vLow >>> order) & bankMask[b]!) * bankWays[b]!;
  for (let w = base; w < base + bankWays[b]!; w++) {
    if (l1Low[w] !== (vLow >>> order) << order) continue;
    if (l1High[w] === tagHigh || l1High[w] === globalHigh) dropL1(w);
  }
}

/** The least recently used of the ways from `base` on. */
export function oldestL1(base: number, ways: number): number {
  let w = base;
  for (let v = base + 1; v < base + ways; v++) if (l1Age[v]! < l1Age[w]!) w = v;
  return w;
}

export function dropL1(w: number): void {
  l1High[w] = 0;
  l1Age[w] = 0;
}
