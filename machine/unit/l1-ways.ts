import { assert } from "../assert.ts";
import { geometryOf, preset, room } from "./given.ts";

// L1: banks data 4k, 2m, 1g, then code 4k, 2m. Age stamps: a hit is one store.
const banks = [
  preset.l1Data["4k"],
  preset.l1Data["2m"],
  preset.l1Data["1g"],
  preset.l1Code["4k"],
  preset.l1Code["2m"],
];
export const bankOrder = Int32Array.from([0, 9, 18, 0, 9]);
/** As in `s[SIZES]`. */
export const bankSize = Int32Array.from([1, 2, 4, 1, 2]);
export const bankBase = room.int32(5);
export const bankMask = room.int32(5);
export const bankWays = room.int32(5);
export const l1Entries = banks.reduce((entries, bank, i) => {
  bankBase[i] = entries;
  if (bank === null) return entries;
  const { sets, ways } = geometryOf(bank);
  bankMask[i] = sets - 1;
  bankWays[i] = ways;
  return entries + sets * ways;
}, 0);
// Hints are 16 bits wide.
assert(l1Entries < 0x7fff, () => `unit: ${l1Entries} L1 entries do not fit an index`);
// One length for all, so that one check of bounds does for all.
export const l1Low = room.int32(l1Entries + 1);
export const l1High = room.int32(l1Entries + 1);
export const l1Mask = room.int32(l1Entries + 1).fill(-1);
export const l1Frame = room.int32(l1Entries + 1);
export const l1Deny = room.int32(l1Entries + 1);
export const l1Meta = room.int32(l1Entries + 1);
export const l1Age = room.int32(l1Entries + 1);
banks.forEach((bank, i) => {
  const entries = bank === null ? 0 : bank.sets * bank.ways;
  l1Mask.fill(-1 << bankOrder[i]!, bankBase[i], bankBase[i]! + entries);
});
// Way by hash of the VPN, data in the first half, code in the second. A wrong hint only costs a search.
export const hint = room.int16(2048).fill(l1Entries);
