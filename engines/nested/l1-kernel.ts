/**
 * The little of L1's kernel that nesting needs: page tables with a direct map of all of L1's memory.
 *
 *     ffff888000000000 and up    L1's memory in pages of 2 MiB, as Linux maps it
 *
 * Model: L1's kernel has no other mapping, no code and no processes of its own. Bias: for nesting, by what L1 beside its
 * hypervisor would take of L0's shadow pages and TLBs.
 */
import { type Gfn, indexAt, pagesPerEntry, type Pfn, type Vpn } from "../../machine/address.ts";
import { A, D, highHalf, lowHalf, P, PS, W } from "../../machine/entry.ts";
import type { Cr3, Registers } from "../../machine/registers.ts";
import type { GuestMemory } from "../../hypervisor/hypervisor.ts";

/** Page number of Linux's `page_offset_base`, the sign extension dropped. */
const directMap = 0x8_8800_0000;
const linkFlags = P | W | A;
const leafFlags = P | W | A | D | PS;

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
  return 2 + Math.ceil(frames / pagesPerEntry(3));
}

/** What the boot loader leaves in the last of L1's `frames`: root, a table below it, and one for each GiB. */
export function loadKernel(memory: GuestMemory, frames: number): Cr3 {
  const root = frames - kernelTableFrames(frames);
  const upper = root + 1;
  const set = (table: number, index: number, frame: number, flags: number) =>
    memory.write(table as Gfn, index, lowHalf(frame, flags), highHalf(frame));
  set(root, indexAt(directMap, 4), upper, linkFlags);
  for (let frame = 0; frame < frames; frame += pagesPerEntry(2)) {
    const page = directMap + frame;
    const table = upper + 1 + Math.floor(frame / pagesPerEntry(3));
    if (frame % pagesPerEntry(3) === 0) set(upper, indexAt(page, 3), table, linkFlags);
    set(table, indexAt(page, 2), frame, leafFlags);
  }
  return { root: root as Gfn, pcid: 0, keep: false };
}
