import type { EntryMasks } from "../formats/format.ts";

/** A template: `MAY_*` and `USER_MAY` of a present entry, by the masks of its format. */
export function createRights(
  masks: EntryMasks["rights"],
  flipped: number,
): (e: number, h: number) => number {
  const { lowShift, lowMask, downShift, downMask, upShift, upMask, always } = masks;
  const { highShift, highMask, modeShift, modeMask, grantShift, grantMask } = masks;
  return (e, h) =>
    (((e ^ flipped) >>> lowShift) & lowMask) |
    (((e ^ flipped) >>> downShift) & downMask) |
    (((e ^ flipped) << upShift) & upMask) |
    ((~h >>> highShift) & highMask) |
    ((~h >>> modeShift) & modeMask) |
    ((h >>> grantShift) & grantMask) |
    always;
}
