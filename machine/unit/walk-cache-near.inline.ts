import { FIRST_BITS, FIRST_LOW } from "./shape.ts";
import {
  pw2Mask,
  pw2Ways,
  pw3Base,
  pw3Mask,
  pw3Ways,
  pwHigh,
  pwLow,
  prefixHigh,
  prefixLow,
} from "./walk-cache.ts";

declare let shift: number;

/**
 * The walk-cache entry for the page at levels 2 and 3, or -1; `shift` says where its table's index is then. Nearly every
 * hit is in these two, so they are searched by hand (1D walk: 1.1x).
 */
export function findNear(
  vLow: number,
  vHigh: number,
  tag2: number,
  tag2High: number,
  context: number,
): number {
  const base2 = Math.imul(tag2 & pw2Mask, pw2Ways);
  let isLikely = pw2Ways !== 0;
  if (pw2Ways === 4) {
    isLikely =
      pwLow[base2] === tag2 ||
      pwLow[base2 + 1] === tag2 ||
      pwLow[base2 + 2] === tag2 ||
      pwLow[base2 + 3] === tag2;
  }
  if (isLikely) {
    let v = base2;
    const end = (v + pw2Ways) | 0;
    while (v < end && (pwLow[v] !== tag2 || pwHigh[v] !== tag2High)) v = (v + 1) | 0;
    if (v < end) {
      shift = FIRST_LOW;
      return v;
    }
  }
  if (pw3Ways !== 0) {
    const tag = prefixLow(FIRST_LOW + 2 * FIRST_BITS, vLow, vHigh) | 0;
    const tagHigh = context | prefixHigh(FIRST_LOW + 2 * FIRST_BITS, vHigh);
    let v = (pw3Base + Math.imul(tag & pw3Mask, pw3Ways)) | 0;
    const end = (v + pw3Ways) | 0;
    while (v < end && (pwLow[v] !== tag || pwHigh[v] !== tagHigh)) v = (v + 1) | 0;
    if (v < end) {
      shift = FIRST_LOW + FIRST_BITS;
      return v;
    }
  }
  return -1;
}
