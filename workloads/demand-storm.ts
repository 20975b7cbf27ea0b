/**
 * Demand-paging storm: fresh memory, touched once, given back, again and again.
 *
 * Shape: one guest fault and one PTE store per page; trap-on-write shadow paging pays exits for each of
 * them, nested paging only for frames that the host has never backed.
 */
import type { Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import { type KernelSwitches, onDemand, type PageSize, switches } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages } from "./working-set.ts";

type DemandStormParams = KernelSwitches & {
  /** Pages mapped per round. */
  readonly pages: number;
  readonly rounds: number;
  /** Loads from a page after the store that brought it in. */
  readonly readsPerPage: number;
  readonly pageSize: PageSize;
};

export const demandStorm: Workload<DemandStormParams> = {
  title: "Demand-paging storm",
  summary: "Short-lived arenas (a batch job's allocator): guest faults and table updates dominate.",
  defaults: {
    pages: 2048,
    rounds: 6,
    readsPerPage: 8,
    pageSize: "4k",
    kpti: 0,
    pcid: 1,
    usedMemory: 1,
  },
  computeCycles: { perOp: 50, source: "assumed: initialising one page's objects" },
  guestFrames: ({ pages, pageSize }) =>
    footprintFrames({ pages: mappedPages(pages, pageSize), processes: 1 }),
  guestOptions: switches,

  run(guest, { pages, rounds, readsPerPage, pageSize }) {
    const mapped = mappedPages(pages, pageSize);
    guest.measure();
    for (let round = 0; round < rounds; round++) {
      const base = guest.map(mapped, onDemand(pageSize));
      for (let i = 0; i < pages; i++) {
        const vpn = (base + i) as Vpn;
        guest.write(vpn);
        for (let read = 0; read < readsPerPage; read++) guest.read(vpn, read * 64);
      }
      guest.compute(pages);
      guest.unmap(base, mapped);
    }
  },
};
