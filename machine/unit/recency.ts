import { bgAge } from "./big.ts";
import { l1Age } from "./l1-ways.ts";
import { npAge } from "./nested-walk-cache.ts";
import { TICK, TICK_PWC, s } from "./state.ts";
import { pwAge } from "./walk-cache.ts";

/** Stamps fit 31 bits; long before they run out, they are replaced by their ranks. */
export function rerank(): void {
  if (s[TICK]! > 0x3fff_0000) {
    rankAges(l1Age);
    s[TICK] = l1Age.length + 1;
  }
  if (s[TICK_PWC]! > 0x3fff_0000) {
    rankAges(pwAge);
    rankAges(npAge);
    rankAges(bgAge);
    s[TICK_PWC] = Math.max(pwAge.length, npAge.length, bgAge.length) + 1;
  }
}

function rankAges(age: Int32Array): void {
  const order = [...age.keys()].sort((a, b) => age[a]! - age[b]! || a - b);
  // Zero means invalid and stays lowest.
  order.forEach((way, rank) => (age[way] = age[way] === 0 ? 0 : rank + 1));
}
