/**
 * Arm's A-profile with 4 KiB granules: 39 and 48 bits of address, three levels and four.
 *
 * A page that may be stored to has DBM, and AP[2] as long as it is clean; a page that may not keeps in bit 55, which is
 * software's, that it was dirty. Two ways with the access flag and the dirty state: with FEAT_HAFDBS silicon notes them,
 * without it an access to a page without AF, and a store to a clean one, is a fault, and the kernel sets the bit.
 *
 * Model: one root has both halves of the address space, where silicon has TTBR0 and TTBR1: half of a root each. Bias: none,
 * both are as deep.
 *
 * Model: no PAN, so EL1 may use EL0's pages. Bias: none, no program depends on it.
 *
 * Source: Arm Architecture Reference Manual for A-profile, D8; Linux arch/arm64/include/asm/pgtable.h (`pte_mkdirty`,
 * `pte_wrprotect`, `pte_hw_dirty`), pgtable-prot.h.
 */
import { A, D, G, NX_HIGH, P, PS, RESERVED_HIGH, U, W } from "../entry.ts";
import { frameOf, highHalf, lowHalf } from "../formats/x86-entry.ts";
import { arm4k, arm4kHafdbs, type ArmMarks } from "../formats/arm.ts";
import { x86Stage } from "../stages.ts";
import type { Isa } from "./isa.ts";

const VALID = 1;
const PAGE = 2;
const EL0 = 0x40;
const READ_ONLY = 0x80;
/** Inner shareable: what every page of the kernel's has, and no link. It tells them apart whatever the level. */
const SHAREABLE = 0x300;
const AF = 0x400;
const NOT_GLOBAL = 0x800;
/** In the high half. */
const DBM = 0x0008_0000;
const PXN = 0x0020_0000;
const UXN = 0x0040_0000;
const WAS_DIRTY = 0x0080_0000;
const frameHigh = 0xfff;

const isClean = (low: number): boolean => (low & (W | D)) !== (W | D);

function leafLow(low: number, high: number): number {
  return (
    (frameOf(low, high) << 12) |
    (low & P) |
    ((low & PS) === 0 ? PAGE : 0) |
    ((low & U) << 4) |
    (isClean(low) ? READ_ONLY : 0) |
    SHAREABLE |
    ((low & A) << 5) |
    ((low & G) === 0 ? NOT_GLOBAL : 0)
  );
}

/** Pages of EL0's are not EL1's to fetch from, nor the other way round. */
function leafHigh(low: number, high: number): number {
  const [own, others] = (low & U) === 0 ? [PXN, UXN] : [UXN, PXN];
  return (
    (high & frameHigh) |
    others |
    (high < 0 ? own : 0) |
    ((low & W) === 0 ? 0 : DBM) |
    ((low & D) === 0 ? 0 : WAS_DIRTY)
  );
}

function linkLow(low: number, high: number): number {
  return lowHalf(frameOf(low, high), VALID | PAGE);
}

function linkHigh(_low: number, high: number): number {
  return high & frameHigh;
}

const isLink = (low: number): boolean => (low & SHAREABLE) === 0;

function readLow(low: number, high: number): number {
  const frame = frameOf(low, high);
  if (isLink(low)) return (low & VALID) === 0 ? 0 : lowHalf(frame, P | W | U | A | D);
  const isWritable = (high & DBM) !== 0;
  const isDirty = (high & WAS_DIRTY) !== 0 || (isWritable && (low & READ_ONLY) === 0);
  const flags =
    (low & P) |
    (isWritable ? W : 0) |
    ((low & EL0) >>> 4) |
    ((low & AF) >>> 5) |
    (isDirty ? D : 0) |
    ((low & PAGE) === 0 ? PS : 0) |
    ((low & NOT_GLOBAL) === 0 ? G : 0);
  return lowHalf(frame, flags);
}

function readHigh(low: number, high: number): number {
  const forbids = (low & EL0) === 0 ? PXN : UXN;
  const mayFetch = isLink(low) || (high & forbids) === 0;
  const reserved = (high & 0xf000) === 0 ? 0 : RESERVED_HIGH;
  return highHalf(frameOf(low, high), mayFetch ? 0 : NX_HIGH) | reserved;
}

function armIsa(marks: ArmMarks): Isa {
  const format = marks === "silicon" ? arm4kHafdbs : arm4k;
  return {
    name: marks === "silicon" ? "Arm with FEAT_HAFDBS" : "Arm",
    levels: [3, 4],
    hasKpti: false,
    breaksBeforeMake: true,
    marks,
    stage: (levels) => ({
      ...x86Stage(levels),
      format,
      marks: marks === "silicon",
      refusesUnmarked: marks === "software",
    }),
    leafLow,
    leafHigh,
    linkLow,
    linkHigh,
    readLow,
    readHigh,
  };
}

/** The access flag and the dirty state are the kernel's. */
export const arm = armIsa("software");
/** They are silicon's: FEAT_HAFDBS. */
export const armHafdbs = armIsa("silicon");
