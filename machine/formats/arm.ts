/**
 * Arm's descriptors, for granules of 4, 16 and 64 KiB: those of the guest's stage, and those of the hypervisor's.
 *
 *     63   54  53   47           12 11  10   9 8   7   6   5   2   1   0
 *     ... | XN |    | frame address |nG | AF | SH  | AP / S2AP |  | table | valid
 *
 * A table takes a granule: 512, 2048 or 8192 entries. Above the last level, a descriptor whose bit 1 is clear is a block.
 *
 * Model: silicon keeps neither AF nor the dirty state, as before FEAT_HAFDBS: system software makes descriptors with AF
 * set. Rights of EL0 and EL1 are not told apart, tables grant everything (APTable, XNTable are 0). Bias: none, for walks.
 *
 * Source: Arm Architecture Reference Manual for A-profile, D8.3 "Translation table descriptor formats".
 */
import {
  entryFormat,
  MAY_EXECUTE,
  MAY_READ,
  MAY_WRITE,
  noRights,
  USER_MAY,
  usualMasks,
} from "./format.ts";

/** log2 of the bytes in a granule. */
export type Granule = 12 | 14 | 16;

const masks = {
  ...usualMasks,
  presentAll: 1,
  presentAny: 1,
  leafBits: 2,
  linksArePlain: true,
  link: 3,
  // Normal memory, inner shareable, loads and stores allowed.
  leaf: 0x3ff,
  largeLeaf: 0x3fd,
  write: 0x80,
  execute: 0,
  accessed: 0,
  dirty: 0,
  global: 0,
} as const;

/** Blocks exist at the last level but one, with 4 KiB granules also at the one above. */
function granuleMasks(granule: Granule) {
  return {
    ...masks,
    indexBits: granule - 3,
    pageOrder: granule - 12,
    leafLevelMax: granule === 12 ? 3 : 2,
  };
}

/** Stage 1: AP[2], bit 7, takes the right to store away. */
export const armGuest = (granule: Granule) =>
  entryFormat({
    ...granuleMasks(granule),
    name: `arm ${2 ** (granule - 10)}k`,
    flipped: 0x82,
    checksLeaves: true,
    rights: {
      ...noRights,
      lowShift: 6,
      lowMask: MAY_WRITE,
      highShift: 20,
      highMask: MAY_EXECUTE,
      always: MAY_READ | USER_MAY,
    },
  });

/** Stage 2: S2AP, bits 7 and 6, grants stores and loads. */
export const armStage2 = (granule: Granule) =>
  entryFormat({
    ...granuleMasks(granule),
    name: `arm stage 2 ${2 ** (granule - 10)}k`,
    flipped: 2,
    checksLeaves: false,
    rights: {
      ...noRights,
      lowShift: 6,
      lowMask: MAY_READ | MAY_WRITE,
      highShift: 20,
      highMask: MAY_EXECUTE,
      always: USER_MAY,
    },
  });

/**
 * Levels that addresses of so many bits take, and the index bits by which the root is widened: up to 16 tables of the
 * second stage lie one after another in place of one more level.
 */
export function armStage2Shape(granule: Granule, addressBits: number) {
  const indexBits = granule - 3;
  const levels = Math.floor((addressBits - 4 - 4) / indexBits);
  return { levels, rootExtraBits: Math.max(0, addressBits - granule - levels * indexBits) };
}
