import type { EntryMasks } from "../formats/format.ts";

/** A template: `MAY_READ`, `MAY_WRITE`, `MAY_EXECUTE`, `USER_MAY` of a present entry, by the masks of its format. */
export function createRights(
  masks: EntryMasks["rights"],
  flipped: number,
): (e: number, h: number) => number {
  const { lowShift, lowMask, downShift, downMask, upShift, upMask, highShift, highMask, always } =
    masks;
  return (e, h) =>
    (((e ^ flipped) >>> lowShift) & lowMask) |
    (((e ^ flipped) >>> downShift) & downMask) |
    (((e ^ flipped) << upShift) & upMask) |
    ((~h >>> highShift) & highMask) |
    always;
}
