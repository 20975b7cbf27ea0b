/**
 * How the guest kernel is configured and booted: what a distribution's command line decides.
 */
import type { PagingLevels } from "../machine/address.ts";

export interface KernelOptions {
  /** Kernel page-table isolation: user mode runs on tables without the kernel. */
  readonly kpti: boolean;
  /** Tag address spaces by PCID, so that CR3 writes keep translations. */
  readonly pcid: boolean;
  /** CR4.PGE and global kernel mappings (under KPTI only the entry area is global). */
  readonly globalPages: boolean;
  readonly levels: PagingLevels;
  /** Give 2 MiB pages to mappings that ask for them. */
  readonly thp: boolean;
  /** Largest page of the kernel's direct map and text. */
  readonly directMap: "4k" | "2m" | "1g";
  /** Reads of untouched anonymous memory share one frame of zeros until the first write. */
  readonly sharedZeroPage: boolean;
  /**
   * Every free frame was written before the first process starts, as in a machine that has been up: the host
   * has backed all of it. Otherwise each frame's first use is a fault for the host to serve.
   */
  readonly usedMemory: boolean;
  /** Order in which physical memory is handed out. */
  readonly seed: number;
}

export const kernelDefaults: KernelOptions = {
  kpti: false,
  pcid: true,
  globalPages: true,
  levels: 4,
  thp: true,
  directMap: "2m",
  sharedZeroPage: true,
  usedMemory: false,
  seed: 1,
};
