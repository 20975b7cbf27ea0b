/**
 * An IOMMU as its driver sees it: capabilities, registers. Silicon has them, and so has what a hypervisor emulates,
 * where each access is an exit.
 *
 * Source: VT-d specification 11.4 "Register Descriptions"; Linux 6.1 drivers/iommu/intel/iommu.h.
 */

/** What CAP and ECAP say. */
export interface IommuCapabilities {
  /** CM: what is not present may be cached too, so software invalidates after it has made an entry present. */
  readonly cachingMode: boolean;
  /** SLLPS: levels of the second-level leaves beyond 4 KiB: 2 is 2 MiB, 3 is 1 GiB. */
  readonly largeLevels: readonly (2 | 3)[];
  /** MAMV: largest mask of a page-selective invalidation. */
  readonly maskMax: number;
  /** Levels of second-level tables (AGAW): 3, 4 or 5. */
  readonly levels: 3 | 4 | 5;
  /** RWBF: software flushes the root complex's write buffer after it has made entries present. */
  readonly writeBufferFlush: boolean;
  /** C: walks snoop the processor's caches; without, software flushes each line of entries that it stores. */
  readonly coherent: boolean;
}

export type IommuRegister =
  /** Root table's frame. */
  | "RTADDR"
  /** 1: translation on, 2: take the root pointer, 4: flush the write buffer. */
  | "GCMD"
  /** Frame of the invalidation queue's ring. */
  | "IQA"
  /** Tail of the ring, in descriptors. */
  | "IQT"
  /** Frame of the table of interrupt remapping entries. */
  | "IRTA"
  /** Fault status; a write clears it. */
  | "FSTS";

export const GCMD_TRANSLATE = 1;
export const GCMD_SET_ROOT = 2;
export const GCMD_FLUSH_WRITES = 4;

export interface IommuPort {
  readonly capabilities: IommuCapabilities;
  write(register: IommuRegister, value: number): void;
}
