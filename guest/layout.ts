/**
 * Where things lie in the guest's virtual address space, for 3, 4 and 5 levels.
 *
 * The kernel half begins at top-level index 256. Its three parts have a top-level entry each, so that the
 * user-mode tables of KPTI can share the entry area and nothing else. Stack and mmap area of user programs lie
 * below 47 bits with 4 levels and more, as Linux places them unless they ask for more; who asks may have all of the
 * user half.
 *
 * Model: with 5 levels Linux puts entry area and text under the last PML5E; here they stay apart. Bias: none.
 *
 * Source: Linux Documentation/arch/x86/x86_64/mm.rst.
 */
import { pagesPerEntry, type PagingLevels, type Vpn } from "../machine/address.ts";
import { kernelHalf } from "../machine/gva.ts";

const directMapTop = 273;
export const entryAreaTop = 508;
const kernelTextTop = 511;

/** Pages of the entry area, mapped in kernel and user tables alike. */
export const entryPages = { text: 0, descriptors: 1, stack: 2, count: 3 } as const;

/** Which page of kernel text runs, by what the kernel does. Real code spreads the same way. */
export const textPages = {
  systemCall: 0,
  pageFault: 1,
  memoryMap: 2,
  fork: 3,
  exec: 4,
  exit: 5,
  scheduler: 6,
  signal: 7,
  boot: 8,
  interrupt: 9,
  count: 16,
} as const;
export type TextPage = Exclude<keyof typeof textPages, "count">;

export interface KernelLayout {
  readonly levels: PagingLevels;
  /** First page of the direct map: page `directMap + gfn` is guest frame gfn. */
  readonly directMap: Vpn;
  readonly entryArea: Vpn;
  readonly text: Vpn;
}

export function kernelLayout(levels: PagingLevels): KernelLayout {
  const slot = pagesPerEntry(levels);
  return {
    levels,
    directMap: (directMapTop * slot) as Vpn,
    entryArea: (entryAreaTop * slot) as Vpn,
    text: (kernelTextTop * slot) as Vpn,
  };
}

export const stackPages = 32;

/** Where a program's parts lie. */
export interface UserLayout {
  readonly image: Vpn;
  /** Main stack: ends 64 KiB below 2^47 bytes, or where fewer levels end. */
  readonly stackEnd: Vpn;
  /** mmap goes down from here; 2 MiB aligned. */
  readonly mmapEnd: number;
}

export function userLayout(levels: PagingLevels): UserLayout {
  const end = kernelHalf(levels === 3 ? 3 : 4);
  return {
    image: (levels === 3 ? 0x20_0000 : 0x1_0000_0000) as Vpn,
    stackEnd: (end - 16) as Vpn,
    mmapEnd: end - 0x8_0200,
  };
}
