/**
 * The little of L1's kernel that nesting needs: page tables with a direct map of all of L1's memory.
 *
 *     ffff888000000000 and up    L1's memory, page by page
 *
 * Model: L1's kernel has no other mapping, no code and no processes of its own, and its direct map is in pages of 4 KiB,
 * where Linux takes larger ones. Bias: both, which are spared what L1 beside its hypervisor takes of L0's shadow pages and
 * TLBs.
 */
import { type Gfn, indexAt, pagesPerEntry, type Pfn, type Vpn } from "../../machine/address.ts";
import { highHalf, kernelLink, kernelPage, lowHalf } from "../../machine/formats/x86-entry.ts";
import type { Cr3, Registers } from "../../machine/registers.ts";
import type { GuestMemory } from "../../hypervisor/hypervisor.ts";

/** Page number of Linux's `page_offset_base`, the sign extension dropped. */
const directMap = 0x8_8800_0000;
const linkFlags = kernelLink;
const leafFlags = kernelPage;

/** Page of the direct map that shows the frame. */
export function directPage(frame: Pfn): Vpn {
  return (directMap + frame) as Vpn;
}

export const l1Registers: Registers = {
  writeProtect: true,
  globalPages: true,
  pcid: false,
  levels: 4,
};

/** Frames that the tables take, at the end of memory. */
export function kernelTableFrames(frames: number): number {
  return 1 + [4, 3, 2].reduce((sum, level) => sum + Math.ceil(frames / pagesPerEntry(level)), 0);
}

/** What the boot loader leaves in the last of L1's `frames`. */
export function loadKernel(memory: GuestMemory, frames: number): Cr3 {
  const root = frames - kernelTableFrames(frames);
  const set = (table: number, page: number, level: number, entry: readonly [number, number]) => {
    const [frame, flags] = entry;
    memory.write(table as Gfn, indexAt(page, level), lowHalf(frame, flags), highHalf(frame));
  };
  /** The first table of a level; the direct map begins where one of each level does. */
  const first = { 3: root + 1, 2: root + 1 + Math.ceil(frames / pagesPerEntry(4)), 1: 0 };
  first[1] = first[2] + Math.ceil(frames / pagesPerEntry(3));
  for (const level of [4, 3, 2] as const) {
    const below = first[(level - 1) as 1 | 2 | 3];
    const tables = level === 4 ? root : first[level];
    for (let i = 0; i * pagesPerEntry(level) < frames; i++) {
      const page = directMap + i * pagesPerEntry(level);
      set(tables + Math.floor(i / 512), page, level, [below + i, linkFlags]);
    }
  }
  for (let frame = 0; frame < frames; frame++) {
    set(first[1] + Math.floor(frame / 512), directMap + frame, 1, [frame, leafFlags]);
  }
  return { root: root as Gfn, pcid: 0, keep: false };
}
