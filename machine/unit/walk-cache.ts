import { preset } from "./given.ts";
import { levelGeometry, levelOf } from "./levels.ts";
import { room } from "./room.ts";
import { CTX, TICK_PWC, s } from "./state.ts";

// Paging-structure caches of the guest dimension. Payload: where the next table starts, rights so far.
export const {
  base: pwBase,
  mask: pwMask,
  ways: pwWays,
  entries: pwEntries,
} = levelGeometry(room, preset.pwc);
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
    // As for L1: a tournament without a branch.
    const age0 = pwAge[base]!;
    const age2 = pwAge[base + 2]!;
    const first = (pwAge[base + 1]! - age0) | 0;
    const second = (pwAge[base + 3]! - age2) | 0;
    const isWay1 = first >> 31;
    const isWay3 = second >> 31;
    const older = (age2 + (second & isWay3) - age0 - (first & isWay1)) >> 31;
    victim = ((base - isWay1) & ~older) | ((base + 2 - isWay3) & older);
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
  const lows = pwLow;
  const highs = pwHigh;
  const level = levelOf(shift);
  const ways = pwWays[level]!;
  const tag = prefixLow(shift, vLow, vHigh) | 0;
  const tagHigh = s[CTX]! | prefixHigh(shift, vHigh);
  const base = (pwBase[level]! + Math.imul(tag & pwMask[level]!, ways)) | 0;
  for (let v = base, end = (base + ways) | 0; v < end; v = (v + 1) | 0) {
    if (lows[v] === tag && highs[v] === tagHigh) return v;
  }
  return -1;
}
