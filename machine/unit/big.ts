import { geometryOf, preset, room } from "./given.ts";
import { CTX_GLOBAL, s } from "./state.ts";
import { VPN_HIGH } from "./tags.ts";

export const big = geometryOf(preset.stlb1g);
export const hasBig = preset.stlb1g !== null;

export const bgLow = room.int32(big.sets * big.ways);
export const bgHigh = room.int32(big.sets * big.ways);
export const bgFrame = room.int32(big.sets * big.ways);
export const bgRaw = room.int32(big.sets * big.ways);
export const bgAge = room.int32(big.sets * big.ways);

export function findBig(vLow: number, tagHigh: number): number {
  const tag = (vLow >>> 18) << 18;
  const globalHigh = s[CTX_GLOBAL]! | (tagHigh & VPN_HIGH);
  const base = ((vLow >>> 18) & (big.sets - 1)) * big.ways;
  for (let v = base; v < base + big.ways; v++) {
    if (bgLow[v] === tag && (bgHigh[v] === tagHigh || bgHigh[v] === globalHigh)) return v;
  }
  return -1;
}

export function dropBig(g: number): void {
  bgHigh[g] = 0;
  bgAge[g] = 0;
}
