/**
 * Entries of the differential test's trees, by ISA and dimension: operations say them in x86-64's words.
 */
import { A, D, EPT_D, P, PS, U, W } from "../entry.ts";
import { arm4kStage2 } from "../formats/arm.ts";
import type { EntryFormat } from "../formats/format.ts";
import { riscv, riscvSecond } from "../formats/riscv.ts";
import { arm, armHafdbs } from "../isa/arm.ts";
import type { Isa } from "../isa/isa.ts";
import { x86Isa } from "../isa/x86.ts";

type Halves = readonly [low: number, high: number];

export interface EntryWriter {
  leaf(low: number, high: number): Halves;
  link(low: number, high: number): Halves;
  /** The entry without these flags, as far as it has them. */
  without(entry: Halves, flags: number): Halves;
  /** High bits that no entry may have. */
  readonly reservedHigh: number;
  /** What the format calls D, in words. */
  readonly dirty: number;
}

/** What both dimensions of an ISA are written with, and the format of the second; null: those of x86-64. */
export interface Writers {
  readonly guest: EntryWriter;
  readonly nested: EntryWriter;
  readonly second: EntryFormat | null;
}

function writerOf(isa: Isa, reservedHigh: number, without: EntryWriter["without"]): EntryWriter {
  return {
    leaf: (low, high) => [isa.leafLow(low, high), isa.leafHigh(low, high)],
    link: (low, high) => [isa.linkLow(low, high), isa.linkHigh(low, high)],
    without,
    reservedHigh,
    dirty: isa === x86Isa ? EPT_D : D,
  };
}

const bits =
  (flagsOf: (flags: number) => number): EntryWriter["without"] =>
  ([low, high], flags) => [low & ~flagsOf(flags), high];

/** A page's bit 1 is clear in a block; links have no AF, and no attributes that tell them from pages here. */
const isArmLink = (low: number) => (low & 0x302) === 2;

function armWriters(isa: Isa): Writers {
  return {
    guest: writerOf(isa, 0xf000, ([low, high], flags) => {
      if (isArmLink(low)) return [low, high];
      const words: Halves = [isa.readLow(low, high) & ~flags, isa.readHigh(low, high)];
      return [isa.leafLow(...words), isa.leafHigh(...words)];
    }),
    nested: {
      leaf: (low, high) => [
        (low & ~0xfff) |
          (low & P) |
          ((low & PS) === 0 ? 2 : 0) |
          0x33c |
          ((low & U) << 4) |
          ((low & W) << 6) |
          ((low & A) << 5),
        (high & 0xfff) | (high < 0 ? 0x0040_0000 : 0),
      ],
      link: (low, high) => [isa.linkLow(low, high), isa.linkHigh(low, high)],
      without: bits((flags) => ((flags & W) << 6) | ((flags & A) << 5)),
      reservedHigh: 0,
      dirty: A,
    },
    second: arm4kStage2,
  };
}

export function writersFor(isa: Isa): Writers {
  const own = known.get(isa);
  if (own !== undefined) return own;
  const riscvFlags = (flags: number) => (flags & (W | A | D)) << 1;
  const writer = writerOf(isa, riscv.reservedHigh, bits(riscvFlags));
  return { guest: writer, nested: writer, second: riscvSecond };
}

const asWritten = bits((flags) => flags);
const x86Writer = writerOf(x86Isa, 0, asWritten);
const known = new Map<Isa, Writers>([
  [x86Isa, { guest: x86Writer, nested: x86Writer, second: null }],
  [arm, armWriters(arm)],
  [armHafdbs, armWriters(armHafdbs)],
]);
