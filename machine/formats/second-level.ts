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
import { entryFormat, MAY_READ, MAY_WRITE, noRights, USER_MAY, usualMasks } from "./format.ts";

export const secondLevel = entryFormat({
  ...usualMasks,
  name: "second-level",
  presentAll: 0,
  presentAny: MAY_READ | MAY_WRITE,
  leafBits: 0x80,
  rights: {
    ...noRights,
    lowMask: MAY_READ | MAY_WRITE,
    always: USER_MAY,
  },
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
