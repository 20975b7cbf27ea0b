/**
 * Sub-page write permissions (SPP): a table beside EPT says of each 128 bytes of a page whether the guest may store there.
 *
 * It has four levels, each indexed by 9 bits of the guest frame's number. An entry above the last points to a table; one
 * without bit 0 is a miss. The last has no frame but a vector: bit 2i for the i-th 128 bytes, odd bits reserved.
 *
 *     63   52 51            12 11       1   0          63  62  ...   3   2   1   0
 *     |  0   | frame address  |    0    | V |          | 0 | l31 ... | 0 | l1| 0 | l0 |
 *
 * Asked is it about a store to a page of 4 KiB that may be read and not written by EPT, whose leaf has bit 61; by no walk's
 * A and D bits. What it allows is never cached as writable: the next store asks again.
 *
 * Model: a store of less than a page is to one line, that of its first byte; one to a whole page is to all. Bias: none, as
 * guests store aligned words here.
 *
 * Model: nothing of this table is cached. Bias: for shadow, as each store through it reads four entries more.
 *
 * Source: SDM vol. 3C 29.3.4 "Sub-Page Write Permissions"; Bochs `spp_walk`; Linux's proposed "EPT-Based Sub-Page
 * Protection" (2020).
 */
import { entryFormat, noRights, usualMasks } from "./format.ts";

export const linesPerPage = 32;
/** The lines of a whole page, a bit each. */
export const allLines = -1;

export const SPP_VALID = 1;
/** Of an entry that points to a table. */
export const SPP_RESERVED_LOW = 0xffe;
export const SPP_RESERVED_HIGH = 0xfff0_0000 | 0;
/** Of both halves of a vector. */
export const SPP_RESERVED_ODD = 0xaaaa_aaaa | 0;

/** Bit of the line that has the byte at `offset`. */
export function lineAt(offset: number): number {
  return 1 << (offset >>> 7);
}

/** The two halves of a vector by which these lines may be written, a bit each. */
export function vectorOf(lines: number): readonly [low: number, high: number] {
  return [spread(lines & 0xffff), spread(lines >>> 16)];
}

/** 16 bits, each in two. */
function spread(bits: number): number {
  let at = 0;
  for (let i = 0; i < 16; i++) at |= ((bits >>> i) & 1) << (2 * i);
  return at;
}

/** Entries above the last level, for who edits the table. */
export const sppt = entryFormat({
  ...usualMasks,
  name: "sppt",
  presentAll: SPP_VALID,
  presentAny: SPP_VALID,
  leafBits: 0,
  leafLevelMax: 1,
  rights: noRights,
  link: SPP_VALID,
  leaf: 0,
  largeLeaf: 0,
  write: 0,
  execute: 0,
  accessed: 0,
  dirty: 0,
  global: 0,
});
