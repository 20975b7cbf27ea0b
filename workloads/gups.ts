/**
 * GUPS: read, change and write back 8 bytes at random places of a big table.
 *
 * Shape: the load misses the TLB and the store right behind it hits, but finds the dirty bit to be set
 * where the page was clean.
 *
 * Source: HPC Challenge RandomAccess.
 */
import type { Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { PageSize } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, workingSet } from "./working-set.ts";

type GupsParams = {
  /** Table, in 4 KiB pages. */
  readonly pages: number;
  /** Updates; each is a load and a store. */
  readonly updateOps: number;
  readonly pageSize: PageSize;
};

export const gups: Workload<GupsParams> = {
  title: "GUPS",
  summary: "Random read-modify-write (HPCC RandomAccess): the most TLB-hostile benchmark in use.",
  defaults: { pages: 32_768, updateOps: 100_000, pageSize: "4k" },
  computeCycles: {
    perOp: 6,
    source: "assumed: one step of the random sequence and an exclusive or",
  },
  guestFrames: ({ pages, pageSize }) =>
    footprintFrames({ pages: mappedPages(pages, pageSize), processes: 1 }),
  guestOptions: () => ({}),

  run(guest, { pages, updateOps, pageSize }, prng) {
    const base = workingSet(guest, pages, pageSize);
    guest.measure();
    for (let i = 0; i < updateOps; i++) {
      const word = prng.below(pages * 512);
      const vpn = (base + Math.floor(word / 512)) as Vpn;
      const offset = (word % 512) * 8;
      guest.read(vpn, offset);
      guest.write(vpn, offset);
    }
    guest.compute(updateOps);
  },
};
