/**
 * Entries of IO tables as drivers write them: what a leaf carries for each right, what links a table.
 *
 * In all formats an entry without its two lowest bits is not present, and bit 7 marks a large leaf (AMD's silicon ignores it
 * and looks at the next level, 0 in a leaf).
 *
 * Source: VT-d specification 9.7, 9.8; Linux 6.1 drivers/iommu/amd/amd_iommu_types.h (IOMMU_PTE_*, PM_LEVEL_PDE).
 */
import { A, D, P, U, W } from "../../machine/entry.ts";
import { SL_R, SL_W } from "../../machine/formats/second-level.ts";

export type DmaRights = "read" | "write" | "read-write";
export type IoFormat = "first-level" | "second-level" | "amd-v1";

/** Flags of both halves. */
interface Flags {
  readonly low: number;
  readonly high: number;
}

export interface EntryFlags {
  readonly leaf: Readonly<Record<DmaRights, Flags>>;
  /** Of an entry at `level`, which names a table one level down. */
  readonly link: (level: number) => Flags;
}

const low = (bits: number): Flags => ({ low: bits, high: 0 });

/** Set by software, so that silicon need not. */
const firstLevelWritable = P | W | U | A | D;

/** AMD: present, and the rights in the high half. */
const PR = 1;
const IR = 0x2000_0000;
const IW = 0x4000_0000;

export const ioFormats: Readonly<Record<IoFormat, EntryFlags>> = {
  "second-level": {
    leaf: { read: low(SL_R), write: low(SL_W), "read-write": low(SL_R | SL_W) },
    link: () => low(SL_R | SL_W),
  },
  "first-level": {
    leaf: {
      read: low(P | U | A),
      write: low(firstLevelWritable),
      "read-write": low(firstLevelWritable),
    },
    link: () => low(P | W | U | A),
  },
  "amd-v1": {
    leaf: {
      read: { low: PR, high: IR },
      write: { low: PR, high: IW },
      "read-write": { low: PR, high: IR | IW },
    },
    link: (level) => ({ low: PR | ((level - 1) << 9), high: IR | IW }),
  },
};
