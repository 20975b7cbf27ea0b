/**
 * Arm's descriptors, for granules of 4, 16 and 64 KiB: those of the guest's stage, and those of the hypervisor's.
 *
 *     63  55  54  53  51  47           12 11  10   9 8   7   6   5    2   1   0
 *      |  SW|UXN|PXN|DBM| frame address  |nG | AF | SH |AP / S2AP|  attr | page | valid
 *
 * A table takes a granule: 512, 2048 or 8192 entries. Above the last level, a descriptor whose bit 1 is clear is a block.
 * AP[2], bit 7, takes the right to store away; with FEAT_HAFDBS that is what a clean page looks like where DBM is set, and
 * silicon clears it at a store. Each exception level has a bit of its own that forbids to fetch.
 *
 * Model: tables grant everything (APTable, XNTable are 0); no contiguous hint; a page that EL0 may only fetch from, and not
 * load, is refused to it. Bias: none, no kernel here writes them.
 *
 * Source: Arm Architecture Reference Manual for A-profile, D8.3 "Translation table descriptor formats", D8.4.2
 * "Hardware management of the Access flag and dirty state".
 */
import {
  entryFormat,
  MAY_EXECUTE,
  MAY_READ,
  MAY_WRITE,
  noRights,
  SUPERVISOR_MAY_EXECUTE,
  USER_MAY,
  usualMasks,
} from "./format.ts";

/** log2 of the bytes in a granule. */
export type Granule = 12 | 14 | 16;

/** Who notes that a page was used: system software, or silicon with FEAT_HAFDBS. */
export type ArmMarks = "software" | "silicon";

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
  accessed: 0x400,
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

/** Stage 1: AP[1] is EL0's, AP[2] takes stores away, UXN and PXN take fetches away, nG is set where an ASID matters. */
export const armGuest = (granule: Granule, marks: ArmMarks = "software") =>
  entryFormat({
    ...granuleMasks(granule),
    name: `arm ${2 ** (granule - 10)}k`,
    flipped: 0x882,
    // Bits 47 to 44: our machine has 44 physical address bits.
    reservedHigh: 0xf000,
    checksLeaves: true,
    fetchesByMode: true,
    dirty: marks === "silicon" ? 0x80 : 0,
    global: 0x800,
    rights: {
      ...noRights,
      lowShift: 6,
      lowMask: MAY_WRITE,
      downShift: 3,
      downMask: USER_MAY,
      highShift: 20,
      highMask: MAY_EXECUTE,
      modeShift: 17,
      modeMask: SUPERVISOR_MAY_EXECUTE,
      grantShift: 18,
      grantMask: marks === "silicon" ? MAY_WRITE : 0,
      always: MAY_READ,
    },
  });

/** Stage 2: S2AP, bits 7 and 6, grants stores and loads. Nobody keeps a dirty state there, as under KVM. */
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

/** What guests and hypervisors have here. */
export const arm4k = armGuest(12);
export const arm4kHafdbs = armGuest(12, "silicon");
export const arm4kStage2 = armStage2(12);

/**
 * Levels that addresses of so many bits take, and the index bits by which the root is widened: up to 16 tables of the
 * second stage lie one after another in place of one more level.
 */
export function armStage2Shape(granule: Granule, addressBits: number) {
  const indexBits = granule - 3;
  const levels = Math.floor((addressBits - 4 - 4) / indexBits);
  return { levels, rootExtraBits: Math.max(0, addressBits - granule - levels * indexBits) };
}
