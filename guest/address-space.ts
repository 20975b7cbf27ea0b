/**
 * One address space: its regions and the roots of its tables.
 */
import type { Gfn } from "../machine/address.ts";
import type { Vmas } from "./vmas.ts";

export interface AddressSpace {
  readonly root: Gfn;
  /** Root for user mode under KPTI: the same user half, and of the kernel only the entry area. */
  readonly userRoot: Gfn | null;
  readonly vmas: Vmas;
  /** Files of which the space has private copies of pages: fork must copy their entries. */
  readonly copiedFiles: Set<number>;
  /** Threads that run in it (Linux's `mm_users`). */
  threads: number;
  /** Flushes so far, where several processors may have cached it (Linux's `tlb_gen`). */
  generation: number;
}
