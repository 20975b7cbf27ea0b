import { FIRST_BITS, firstFoldParts, firstParts } from "./shape.ts";
import { partOf } from "./tables.ts";
import { prefixLow } from "./walk-cache.ts";

/**
 * The frame of the table that an entry at `shift` names by `first`: tables of several frames lie one after another. Off
 * the hot path: x86's tables are of one.
 */
export function firstPart(
  first: number,
  shift: number,
  folded: number,
  vLow: number,
  vHigh: number,
): number {
  const below = folded === 0 ? shift - FIRST_BITS : shift - 2 * FIRST_BITS;
  return partOf(
    first,
    prefixLow(below + 9, vLow, vHigh),
    folded === 0 ? firstParts : firstFoldParts,
  );
}
