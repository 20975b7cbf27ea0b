import { room } from "./given.ts";
import { bankBase, bankMask, bankWays } from "./l1-ways.ts";
import { ORDER, guestShift } from "./rights.ts";
import { FRAGMENTS_LIVE, LARGE_LIVE, SIZES, UNIFORM, s } from "./state.ts";
import { hasStlb, hasStlb2m } from "./stlb-ways.ts";

/** Large guest pages, by hash of their number, of which some piece was cached since the last full flush. */
export const fragments = room.uint8(2048);
/** 2 MiB regions, by hash, that an entry of a large page covered since the last full flush. */
export const large = room.uint8(4096);

// Pages of one size, 4 KiB or 2 MiB, that L1 and STLB both hold: then nothing need be searched twice.
export const d4Mask = bankMask[0]!;
export const d4Ways = bankWays[0]!;
export const d2Base = bankBase[1]!;
export const d2Mask = bankMask[1]!;
export const d2Ways = bankWays[1]!;
export const isUniform4k = d4Ways !== 0 && hasStlb;
const isUniform2m = isUniform4k && d2Ways !== 0 && hasStlb2m;

/** A page of `order` comes into the TLBs; `key` is its number in units of 2 MiB. */
export function noteSize(order: number, key: number): void {
  if (order === 9) {
    large[(key ^ (key >>> 12)) & 4095] = 1;
    s[LARGE_LIVE] = 1;
  }
  const sizes = s[SIZES]! | (order === 0 ? 1 : order === 9 ? 2 : 4);
  if (sizes === s[SIZES]) return;
  s[SIZES] = sizes;
  s[UNIFORM] = sizes === 1 && isUniform4k ? 0 : sizes === 2 && isUniform2m ? 9 : -1;
}

export function hasLarge(): boolean {
  return s[SIZES]! > 1;
}

/** A large guest page that is cached in pieces is remembered by hash, for `dropPage`. */
export function noteFragment(vLow: number, meta: number, order: number): void {
  const guest = (meta >>> guestShift) & ORDER;
  if (guest === order) return;
  s[FRAGMENTS_LIVE] = 1;
  fragments[fragmentHash(vLow, guest)] = 1;
}

/** Upper bits are mixed in: programs and the kernel's direct map begin at numbers with the same lower ones. */
export function fragmentHash(vLow: number, guestOrder: number): number {
  const page = vLow >>> guestOrder;
  const mixed = page ^ (page >>> 10) ^ (page >>> 17);
  return guestOrder === 9 ? mixed & 1023 : 1024 | (mixed & 1023);
}

/** Order of all pages that could be cached where this one is; -1: search for every size. */
export function orderHere(vLow: number): number {
  const order = s[UNIFORM]!;
  if (order >= 0 || !isUniform4k || s[SIZES]! >= 4) return order;
  // Sizes are mixed, but where no large page was cached it is as good as 4 KiB pages alone.
  const region = vLow >>> 9;
  return large[(region ^ (region >>> 12)) & 4095] === 0 ? 0 : -1;
}
