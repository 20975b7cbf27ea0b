import { geometryOf, preset, room } from "./given.ts";
import { createRing } from "./ring.t.ts";

/** Buckets of the STLB's index. */
export const stBucketBits = 13;
export const stBuckets = 1 << stBucketBits;

// STLB: entries of `stlb` (4k and 2m), then those of `stlb1g`.
const stlb = geometryOf(preset.stlb);
export const hasStlb = preset.stlb !== null;
export const hasStlb2m = preset.stlb2m;
export const stMask = stlb.sets - 1;
export const stWays = stlb.ways;
export const stEntries = stlb.sets * stlb.ways;

export const stLow = room.int32(stEntries + 1);
export const stHigh = room.int32(stEntries + 1);
export const stFrame = room.int32(stEntries + 1);
export const stMeta = room.int32(stEntries + 1);

export const {
  next: stNext,
  previous: stPrevious,
  head: stHead,
  touch: touchStlb,
} = createRing(room, stlb);
// Entries by hash: the first of a bucket, and from each the next. 0 ends.
export const stBucket = room.int16(stBuckets);
/** Where an entry is to be found: its bucket + 1; 0 for one that is in none. */
export const stHome = room.int16(stEntries + 1);
export const stChain = room.int16(stEntries + 1);
export const stSetBits = Math.log2(stlb.sets);
