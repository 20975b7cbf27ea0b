/**
 * AMD's IO page-table entries: each says itself how many levels lie below it.
 *
 *     63 62 61 60 59 58 ... 51             12 11      9 8 ...  1   0
 *     .. |IW|IR|FC|         | frame address  | next     | ...     | PR
 *
 * Next level 0 is a leaf of its level's size, 7 a leaf whose size is in its address: the lowest clear address bit from bit 12 up
 * is the highest one below the page's number. 1 to 6 name a table of that level, which may be more than one below: levels
 * in between are skipped, and the address bits that they would have had must be zero.
 *
 * Source: AMD I/O Virtualization Technology (IOMMU) specification 2.2.3 "I/O Page Tables for Host Translations".
 */
import { frameOf } from "../../formats/x86-entry.ts";

export const AMD_PR = 1;
/** Of the high half. */
export const AMD_IR = 0x2000_0000;
export const AMD_IW = 0x4000_0000;

/** In place of a next level, a leaf whose size is in its address. */
export const ANY_SIZE = 7;
/** Levels that tables can have. */
export const amdLevelsMax = 6;

/** Rights as DMA has them: 1 to read, 2 to write. */
export const AMD_READ = 1;
export const AMD_WRITE = 2;

/** 0 is also what an entry grants that is not present. */
export const amdRights = (low: number, high: number) =>
  (low & AMD_PR) === 0 ? 0 : (high >>> 29) & (AMD_READ | AMD_WRITE);

/** The next level field as it is. */
export const amdNext = (low: number) => (low >>> 9) & 7;

/** log2 of the 4 KiB pages of a leaf at `level`. */
export function amdOrder(low: number, high: number, level: number): number {
  if (amdNext(low) !== ANY_SIZE) return 9 * (level - 1);
  let order = 1;
  for (let rest = frameOf(low, high); (rest & 1) === 1; rest >>>= 1) order += 1;
  return order;
}

/** The first frame of a leaf of 2^`order` pages. */
export function amdFrame(low: number, high: number, order: number): number {
  const frame = frameOf(low, high);
  return frame - (frame % 2 ** order);
}

/** Does silicon take the entry, a present one, at this level? A size is larger than its level's and smaller than the next one's. */
export function isAmdSound(low: number, high: number, level: number): boolean {
  const next = amdNext(low);
  if (next !== ANY_SIZE) return next < level;
  const order = amdOrder(low, high, level);
  return order > 9 * (level - 1) && order < 9 * level;
}

/** Are the address bits zero that a table of level `next` below an entry at `level` leaves out? */
export const skipsZeros = (page: number, level: number, next: number) =>
  Math.floor((page % 2 ** (9 * (level - 1))) / 2 ** (9 * next)) === 0;

/** Frame field of a leaf of 2^`order` pages that says its size. */
export const sizedFrame = (frame: number, order: number) => frame + 2 ** (order - 1) - 1;
