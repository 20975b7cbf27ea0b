/**
 * x86-64 entries: guest tables, shadow tables, AMD's nested tables.
 *
 *     63        51            12 11    9   8   7   6   5   4   3   2   1   0
 *     NX | ... | frame address  | avail | G | PS | D | A |PCD|PWT| U | W | P
 *
 * Model: frame bits above 43 are reserved, as on a machine with 44 physical address bits. Bias: none, no guest sets them.
 *
 * Source: SDM vol. 3A 4.5 "4-Level Paging and 5-Level Paging"; APM vol. 2 15.25 "Nested Paging".
 */
import {
  entryFormat,
  FOLD_HIGH,
  MAY_EXECUTE,
  MAY_WRITE,
  noRights,
  USER_MAY,
  usualMasks,
} from "./format.ts";

const masks = {
  ...usualMasks,
  name: "x86-64",
  presentAll: 1,
  presentAny: 1,
  leafBits: 0x80,
  // P stands for the right to read, W is in its place, U goes up one, NX comes down.
  rights: {
    ...noRights,
    lowMask: 1 | MAY_WRITE,
    upShift: 1,
    upMask: USER_MAY,
    highShift: 29,
    highMask: MAY_EXECUTE,
  },
  reservedHigh: 0x000f_f000,
  checksLeaves: true,
  link: 7,
  leaf: 7,
  largeLeaf: 0x87,
  write: 2,
  execute: 0,
  accessed: 0x20,
  dirty: 0x40,
  global: 0x100,
} as const;

export const x86 = entryFormat(masks);

/**
 * The same with flattened tables: bit 58 of an entry says that the table below it is two levels in one, 2 MiB.
 *
 * Source: Park et al., "Every Walk's a Hit" (ASPLOS 2022), section 4; bit 58 as in EMT's Linux (`fpt_defs.h`).
 */
export const x86Folded = entryFormat({ ...masks, name: "x86-64 flattened", foldHigh: FOLD_HIGH });

/** Bit 11 of an entry in tables that are asked first (HLAT): it says nothing of the page. Elsewhere it is software's. */
export const HLAT_RESTART = 0x800;

/** AMD's nested tables: all guest memory is the user's, so an entry without U is as good as none. */
export const npt = entryFormat({
  ...masks,
  name: "npt",
  presentAll: 5,
  presentAny: 5,
  reservedHigh: 0,
  checksLeaves: false,
});
