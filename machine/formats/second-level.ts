/**
 * Second-level entries of an IOMMU: what an IO virtual page is, in a domain of its own.
 *
 *     63  52 51            12  11  10   9   8   7   6  2   1   0
 *     ...   | frame address  | SNP |   | D | A | PS | ... | W | R
 *
 * There is no present bit: an entry that grants neither reading nor writing is none. Rights are the AND of those down
 * the walk. D and A are set only where second-stage accessed/dirty flags are on.
 *
 * Source: VT-d specification 9.8 "Second-Stage Paging Entries"; Linux 6.1 drivers/iommu/intel/iommu.h (DMA_PTE_READ, ...).
 */
import { entryFormat, MAY_READ, MAY_WRITE, USER_MAY } from "./format.ts";

export const secondLevel = entryFormat({
  name: "second-level",
  indexBits: 9,
  pageOrder: 0,
  foldHigh: 0,
  presentAll: 0,
  presentAny: MAY_READ | MAY_WRITE,
  malformedMask: 0,
  malformed: 0,
  leafBits: 0x80,
  flipped: 0,
  leafLevelMax: 3,
  linksArePlain: false,
  frameShift: 12,
  rights: {
    lowShift: 0,
    lowMask: MAY_READ | MAY_WRITE,
    downShift: 0,
    downMask: 0,
    upShift: 0,
    upMask: 0,
    highShift: 0,
    highMask: 0,
    always: USER_MAY,
  },
  executesByMode: false,
  pagingWriteHigh: 0,
  verifyHigh: 0,
  reservedHigh: 0,
  checksLeaves: false,
  link: 3,
  leaf: 3,
  largeLeaf: 0x83,
  write: 2,
  execute: 0,
  accessed: 0x100,
  dirty: 0x200,
  global: 0,
});

/** Flags of the low half. */
export const SL_R = 1;
export const SL_W = 2;
export const SL_PS = 0x80;
