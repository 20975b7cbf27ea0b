/**
 * What an x86-64 entry says, and how one is made: the words of guest kernels, shadow tables and the oracle.
 *
 * Predicates and changes are of the low half, which has all flags but NX, unless they say otherwise. Silicon does not
 * read entries through these: units go by the format's masks.
 *
 * Source: SDM vol. 3A 4.5 "4-Level Paging and 5-Level Paging".
 */
import * as entry from "../entry.ts";

const { A, D, G, NX_HIGH, P, PS, RESERVED_HIGH, SWITCH, U, W } = entry; // see hypervisor/guest-walk.ts

/** Flags of a page of the user's that has been written, of a table above such pages, and of a page not used yet. */
export const userPage = P | W | U | A | D;
export const userLink = P | W | U | A;
export const freshPage = P | W | U;
/** The same for what only the kernel may use. */
export const kernelPage = P | W | A | D;
export const kernelLink = P | W | A;

/** High half's flag of an entry that nobody may fetch through; 0 grants fetches. */
export const noExecute = NX_HIGH;

export const isPresent = (low: number): boolean => (low & P) !== 0;
export const isWritable = (low: number): boolean => (low & W) !== 0;
export const isUser = (low: number): boolean => (low & U) !== 0;
export const isAccessed = (low: number): boolean => (low & A) !== 0;
export const isDirty = (low: number): boolean => (low & D) !== 0;
export const isGlobal = (low: number): boolean => (low & G) !== 0;
/** Above level 1, where that tells a leaf from a link. */
export const isLarge = (low: number): boolean => (low & PS) !== 0;
/** Does it lead to the guest's own table (agile paging)? */
export const isSwitch = (low: number): boolean => (low & SWITCH) !== 0;
/** Of the high half. */
export const isExecutable = (high: number): boolean => (high & NX_HIGH) === 0;

export const withPresent = (low: number): number => low | P;
export const withUser = (low: number): number => low | U;
export const withWrite = (low: number): number => low | W;
export const withAccessed = (low: number): number => low | A;
export const withDirty = (low: number): number => low | D;
export const asSwitch = (low: number): number => low | SWITCH;
export const asGlobal = (low: number): number => low | G;
export const asLarge = (low: number): number => low | PS;
export const asSmall = (low: number): number => low & ~PS;
export const withoutPresent = (low: number): number => low & ~P;
export const withoutWrite = (low: number): number => low & ~W;
export const withoutUser = (low: number): number => low & ~U;
export const withoutAccessed = (low: number): number => low & ~A;
export const withoutDirty = (low: number): number => low & ~D;
export const withoutMarks = (low: number): number => low & ~(A | D);

/** A and D alone. */
export const marksOf = (low: number): number => low & (A | D);
/** All flags of the low half, without the frame. */
export const flagsOf = (low: number): number => low & 0xfff;
/** `noExecute` or 0, of the high half. */
export const nxOf = (high: number): number => high & NX_HIGH;

/** Rights of an entry, or of a path of entries (the AND of theirs): W and U are where entries have them. */
export const ACC_EXEC = 1;
export const ACC_WRITE = W;
export const ACC_USER = U;
export const ACC_ALL = ACC_EXEC | ACC_WRITE | ACC_USER;

/** Rights that one entry gives. */
export const accessOf = (low: number, high: number): number =>
  (low & (W | U)) | (high < 0 ? 0 : ACC_EXEC);

/** Flags of a page that has been written and grants these rights, but for `nxFor` of them. */
export const pageFor = (access: number): number => P | A | D | (access & (W | U));
/** `noExecute` unless the rights have `ACC_EXEC`. */
export const nxFor = (access: number): number => ((access & ACC_EXEC) === 0 ? NX_HIGH : 0);

/** Flags, NX among them as `nxOf` has it, with no more rights than these. */
export const withRights = (flags: number, access: number): number =>
  (flags & ~(W | U)) | (access & (W | U)) | nxFor(access);

/** Reserved bits of an entry: PS where no large page exists, misaligned large frames, high address bits. */
export function hasReserved(low: number, high: number, level: number): boolean {
  if ((high & RESERVED_HIGH) !== 0) return true;
  if ((low & PS) === 0 || level === 1) return false;
  if (level > 3) return true;
  return (low & (level === 2 ? 0x001f_e000 : 0x3fff_e000)) !== 0;
}

/** Present and accessed, with no reserved bit: a walk goes on through it as it is. */
export function isUsable(low: number, high: number, level: number): boolean {
  return isPresent(low) && isAccessed(low) && !hasReserved(low, high, level);
}

/** The frame number in an entry. Flags and NX are ignored. */
export function frameOf(low: number, high: number): number {
  return ((low >>> 12) | (high << 20)) >>> 0;
}

/** Low half of an entry for `frame` with `flags`. */
export function lowHalf(frame: number, flags: number): number {
  return (frame << 12) | flags;
}

/** High half of an entry for `frame`; `nx` is `noExecute` or 0. */
export function highHalf(frame: number, nx = 0): number {
  return (frame >>> 20) | nx;
}
