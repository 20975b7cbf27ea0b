/**
 * What a bit of an entry says to silicon: asked of the format, by changing the bit. For who flips bits, not for who walks.
 */
import type { EntryFormat } from "./format.ts";

/** An entry's 8 bytes, as two halves. */
export interface EntryHalves {
  readonly low: number;
  readonly high: number;
}

/** Bits of an entry, counted from 0 for the lowest. */
export const bitsOfEntry = 64;

/** `reserved`: the entry would be malformed with it. `empty entry`: no bit of it is set, whatever this one would say. */
export const bitKinds = [
  "present",
  "rights",
  "A, D",
  "page size",
  "frame",
  "frame, no memory",
  "reserved",
  "not looked at",
  "empty entry",
] as const;
export type BitKind = (typeof bitKinds)[number];

export function withBitFlipped({ low, high }: EntryHalves, bit: number): EntryHalves {
  return bit < 32 ? { low: low ^ (1 << bit), high } : { low, high: high ^ (1 << (bit - 32)) };
}

/** Of an entry in a table of that level; `frames` are those that there are where its frame number leads. */
export function kindOfBit(
  format: EntryFormat,
  level: number,
  entry: EntryHalves,
  bit: number,
  frames: number,
): BitKind {
  const { low, high } = entry;
  if (low === 0 && high === 0) return "empty entry";
  const other = withBitFlipped(entry, bit);
  if (format.isPresent(low) !== format.isPresent(other.low)) return "present";
  if (format.rightsOf(low, high) !== format.rightsOf(other.low, other.high)) return "rights";
  if (((low ^ other.low) & (format.accessed | format.dirty)) !== 0) return "A, D";
  if (level > 1 && format.isLeaf(level, low) !== format.isLeaf(level, other.low)) {
    return "page size";
  }
  if (format.isReserved(level, other.low, other.high)) return "reserved";
  const frame = format.frameOf(other.low, other.high);
  if (format.frameOf(low, high) === frame) return "not looked at";
  return frame < frames ? "frame" : "frame, no memory";
}
