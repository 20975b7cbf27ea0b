/**
 * mmap and munmap in a loop: an allocator that gives big blocks back to the system.
 *
 * Shape: faults on the way up, flushes on the way down, page by page for small blocks and whole for large
 * ones; each block reuses addresses and tables of the one before.
 */
import type { Vpn } from "../machine/address.ts";
import type { Guest } from "../guest/guest.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { Prng } from "../guest/prng.ts";
import { type KernelSwitches, onDemand, type PageSize, switches } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, writeEach } from "./working-set.ts";

type MmapChurnParams = KernelSwitches & {
  /** Largest block, in 4 KiB pages; sizes are uniform from 1 (rounded up to 2 MiB with such pages). */
  readonly blockPages: number;
  /** Blocks alive at once. */
  readonly blocks: number;
  /** Blocks replaced. */
  readonly churnOps: number;
  /** Random accesses to living blocks between two replacements. */
  readonly accessesPerOp: number;
  readonly pageSize: PageSize;
};

interface Block {
  readonly base: Vpn;
  readonly pages: number;
}

function allocate(guest: Guest, { blockPages, pageSize }: MmapChurnParams, prng: Prng): Block {
  const pages = mappedPages(1 + prng.below(blockPages), pageSize);
  const base = guest.map(pages, onDemand(pageSize));
  writeEach(guest, base, pages);
  return { base, pages };
}

export const mmapChurn: Workload<MmapChurnParams> = {
  title: "mmap and munmap churn",
  summary: "malloc of large blocks with trim: mappings come and go, TLB flushes with them.",
  defaults: {
    blockPages: 64,
    blocks: 32,
    churnOps: 200,
    accessesPerOp: 64,
    pageSize: "4k",
    kpti: 0,
    pcid: 1,
    usedMemory: 1,
  },
  computeCycles: { perOp: 200, source: "assumed: work on one block" },
  guestFrames: ({ blockPages, blocks, pageSize }) =>
    footprintFrames({ pages: mappedPages(blockPages, pageSize) * (blocks + 1), processes: 1 }),
  guestOptions: switches,

  run(guest, params, prng) {
    const { blocks, churnOps, accessesPerOp } = params;
    const living = Array.from({ length: blocks }, () => allocate(guest, params, prng));
    guest.measure();
    for (let i = 0; i < churnOps; i++) {
      const slot = prng.below(blocks);
      const old = living[slot];
      if (old !== undefined) guest.unmap(old.base, old.pages);
      living[slot] = allocate(guest, params, prng);
      for (let access = 0; access < accessesPerOp; access++) {
        const block = living[prng.below(blocks)];
        if (block !== undefined) guest.read((block.base + prng.below(block.pages)) as Vpn);
      }
      guest.compute(1);
    }
  },
};
