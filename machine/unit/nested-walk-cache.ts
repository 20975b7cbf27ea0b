import { slotShift } from "../memory.ts";
import { preset, room } from "./given.ts";
import { C_NPWC, c } from "./counts.ts";
import { levelGeometry, secondLevel } from "./levels.ts";
import {
  SECOND_BITS,
  SECOND_LOW,
  secondFoldParts,
  secondHasParts,
  secondParts,
  secondRootParts,
} from "./shape.ts";
import {
  EPOCH,
  NESTED_ROOT_FRAME,
  NESTED_RUN,
  NESTED_SHIFT,
  N_SHIFT,
  TICK_PWC,
  s,
} from "./state.ts";
import { partOf, tableAt } from "./tables.ts";

// The nested dimension's: tagged by epoch, which INVEPT advances and each view has its own of.
const nestedLevels = levelGeometry(room, preset.nestedPwc);
const npEntries = nestedLevels.entries;
export const { base: npBase, mask: npMask, ways: npWays } = nestedLevels;
export const hasNestedPwc = npEntries !== 0;
export const lastWalkUncached = preset.lastWalkUncached === true;
export const npTag = room.int32(npEntries);
export const npEpoch = room.int32(npEntries);
export const npTable = room.int32(npEntries);
/** Frame of the table, where tables take several. */
export const npFrame = room.int32(secondHasParts ? npEntries : 0);
export const npRights = room.uint8(npEntries);
export const npAge = room.int32(npEntries);

/** The lowest table of the nested dimension that is known for `gfn`, or -1; `s[N_SHIFT]` says which. */
export function findNestedPwc(gfn: number): number {
  const top = s[NESTED_SHIFT]!;
  for (let l = 2, shift = SECOND_LOW + SECOND_BITS; shift <= top; l++, shift += SECOND_BITS) {
    const ways = npWays[l]!;
    if (ways === 0) continue;
    const tag = shift > 31 ? 0 : gfn >>> shift;
    const base = npBase[l]! + (tag & npMask[l]!) * ways;
    for (let v = base, end = base + ways; v < end; v++) {
      if (npTag[v] !== tag || npEpoch[v] !== s[EPOCH]) continue;
      npAge[v] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
      c[C_NPWC + l - 2] = c[C_NPWC + l - 2]! + 1;
      s[N_SHIFT] = shift - SECOND_BITS;
      return v;
    }
  }
  return -1;
}

/** The place that the entry got, or -1. */
export function fillNestedPwc(shift: number, gfn: number, table: number, rights: number): number {
  const level = secondLevel(shift);
  const ways = npWays[level]!;
  if (ways === 0) return -1;
  const tag = shift > 31 ? 0 : gfn >>> shift;
  const base = npBase[level]! + (tag & npMask[level]!) * ways;
  let victim = base;
  for (let v = base + 1, end = base + ways; v < end; v++) {
    if (npAge[v]! < npAge[victim]!) victim = v;
  }
  npTag[victim] = tag;
  npEpoch[victim] = s[EPOCH]!;
  npTable[victim] = table;
  npRights[victim] = rights;
  npAge[victim] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
  return victim;
}

/** As `firstPart`, of the second stage's tables. */
export function secondPart(first: number, shift: number, folded: number, gfn: number): number {
  const below = (folded === 0 ? shift - SECOND_BITS : shift - 2 * SECOND_BITS) + 9;
  const before = below > 31 ? 0 : gfn >>> below;
  return partOf(first, before, folded === 0 ? secondParts : secondFoldParts);
}

/**
 * Where the frame of a wide root starts that has the entry for `gfn`, or -1. Who allocates the root at once has its frames one
 * after another in the arena.
 */
export function rootPart(gfn: number, shift: number): number {
  const part = (shift > 22 ? 0 : gfn >>> (shift + 9)) & ((1 << secondRootParts) - 1);
  const run = s[NESTED_RUN]!;
  if (run !== 0) return (run + (part << slotShift)) | 0;
  return tableAt(s[NESTED_ROOT_FRAME]! + part) | 0;
}
