/**
 * RISC-V: Sv39, Sv48 and Sv57.
 *
 * A leaf has one of R, W, X; a link none of them, and no other flag either. Two ways with A and D: with Svadu silicon
 * sets them, without (Svade) a leaf that lacks A, or D for a store, is a page fault, and the kernel sets the bit.
 *
 * Model: SUM is set, so the supervisor may use the user's pages, which the guest's kernel does to write signal frames; MXR
 * is clear. Bias: none, no program depends on either.
 *
 * Source: RISC-V privileged specification, "Addressing and Memory Protection", "Svade", "Svadu"; Linux
 * arch/riscv/include/asm/pgtable-bits.h (`_PAGE_PROT_NONE` is G without V, as on x86).
 */
import { A, D, G, NX_HIGH, P, PS, RESERVED_HIGH, U, W } from "../entry.ts";
import { frameOf, highHalf, lowHalf } from "../formats/x86-entry.ts";
import { riscv } from "../formats/riscv.ts";
import { x86Stage } from "../stages.ts";
import type { Isa } from "./isa.ts";

const V = 1;
const R = 2;
const X = 8;
const anyRight = 0xe;

function leafLow(low: number, high: number): number {
  return (
    (frameOf(low, high) << riscv.frameShift) |
    (low & P) |
    R |
    ((low & W) << 1) |
    (high < 0 ? 0 : X) |
    ((low & U) << 2) |
    ((low & G) >>> 3) |
    ((low & (A | D)) << 1)
  );
}

function linkLow(low: number, high: number): number {
  return (frameOf(low, high) << riscv.frameShift) | V;
}

function upperFrame(low: number, high: number): number {
  return frameOf(low, high) >>> (32 - riscv.frameShift);
}

function readLow(low: number, high: number): number {
  const frame = riscv.frameOf(low, high);
  if ((low & anyRight) === 0) return (low & V) === 0 ? 0 : lowHalf(frame, P | W | U | A | D);
  const flags =
    (low & V) | ((low >>> 1) & (W | A | D)) | ((low >>> 2) & U) | ((low & riscv.global) << 3) | PS;
  return lowHalf(frame, flags);
}

function readHigh(low: number, high: number): number {
  const mayFetch = (low & anyRight) === 0 || (low & X) !== 0;
  const reserved = (high & riscv.reservedHigh) === 0 ? 0 : RESERVED_HIGH;
  return highHalf(riscv.frameOf(low, high), mayFetch ? 0 : NX_HIGH) | reserved;
}

function riscvIsa(marks: Isa["marks"]): Isa {
  return {
    name: marks === "silicon" ? "RISC-V with Svadu" : "RISC-V",
    levels: [3, 4, 5],
    hasKpti: false,
    breaksBeforeMake: false,
    marks,
    stage: (levels) => ({
      ...x86Stage(levels),
      format: riscv,
      marks: marks === "silicon",
      refusesUnmarked: marks === "software",
    }),
    leafLow,
    leafHigh: upperFrame,
    linkLow,
    linkHigh: upperFrame,
    readLow,
    readHigh,
  };
}

/** A and D are the kernel's, as the RVA profiles demand that a hart can. */
export const svade = riscvIsa("software");
/** A and D are silicon's. */
export const svadu = riscvIsa("silicon");
