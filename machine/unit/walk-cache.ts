import { preset, room } from "./given.ts";
import { firstLevel, levelGeometry } from "./levels.ts";
import { oldestOfFour } from "./oldest-of-four.inline.ts";
import { CTX, TICK_PWC, s } from "./state.ts";

// Paging-structure caches of the guest dimension. Payload: where the next table starts, rights so far.
const levelsCached = levelGeometry(room, preset.pwc);
const pwBase = levelsCached.base;
const pwMask = levelsCached.mask;
export const { ways: pwWays, entries: pwEntries } = levelsCached;
export const pw2Mask = pwMask[2]!;
export const pw2Ways = pwWays[2]!;
export const pw3Base = pwBase[3]!;
export const pw3Mask = pwMask[3]!;
export const pw3Ways = pwWays[3]!;
export const pwLow = room.int32(pwEntries);
export const pwHigh = room.int32(pwEntries);
export const pwTable = room.int32(pwEntries);
export const pwFrame = room.int32(pwEntries);
export const pwRights = room.uint8(pwEntries);
export const pwAge = room.int32(pwEntries);

/** Tag of a walk-cache entry for a page, of which the entry's level leaves out the lowest `shift` bits: low half. */
export function prefixLow(shift: number, vLow: number, vHigh: number): number {
  return shift < 32 ? (vLow >>> shift) | (vHigh << (32 - shift)) : vHigh >>> (shift - 32);
}

export function prefixHigh(shift: number, vHigh: number): number {
  return shift < 32 ? vHigh >>> shift : 0;
}

/** `tag` is the page's prefix at `level`, which no walk-cache entry has: a walk has looked. */
export function fillPwc(level: number, tag: number, tagHigh: number, rights: number): number {
  const ways = pwWays[level]!;
  const base = (pwBase[level]! + Math.imul(tag & pwMask[level]!, ways)) | 0;
  let victim = base;
  if (ways === 4) {
    victim = oldestOfFour(pwAge, base);
  } else {
    for (let v = base + 1; v < base + ways; v++) if (pwAge[v]! < pwAge[victim]!) victim = v;
  }
  pwLow[victim] = tag;
  pwHigh[victim] = tagHigh;
  pwRights[victim] = rights;
  pwAge[victim] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
  return victim;
}

/** The walk-cache entry for the page at the level that leaves out `shift` bits, or -1. */
export function findPwc(shift: number, vLow: number, vHigh: number): number {
  const level = firstLevel(shift);
  const ways = pwWays[level]!;
  const tag = prefixLow(shift, vLow, vHigh) | 0;
  const tagHigh = s[CTX]! | prefixHigh(shift, vHigh);
  const base = (pwBase[level]! + Math.imul(tag & pwMask[level]!, ways)) | 0;
  for (let v = base, end = (base + ways) | 0; v < end; v = (v + 1) | 0) {
    if (pwLow[v] === tag && pwHigh[v] === tagHigh) return v;
  }
  return -1;
}
