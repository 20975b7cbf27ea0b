/**
 * Pointer chase: one node per page, visited in one random cycle.
 *
 * Shape: as uniform access, but each page comes exactly once per round, so nothing is hot by chance, and
 * no two misses could overlap: the latency of a walk is paid in full.
 */
import type { Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { PageSize } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, workingSet } from "./working-set.ts";
import { shuffled } from "./zipf-sampler.ts";

type PointerChaseParams = {
  /** Working set, in 4 KiB pages; also the nodes of the cycle. */
  readonly pages: number;
  readonly accesses: number;
  readonly pageSize: PageSize;
};

export const pointerChase: Workload<PointerChaseParams> = {
  title: "Pointer chase",
  summary: "Linked lists and graph walks (mcf): dependent misses, no locality.",
  defaults: { pages: 32_768, accesses: 300_000, pageSize: "4k" },
  computeCycles: { perOp: 2, source: "assumed: the load itself is nearly all" },
  guestFrames: ({ pages, pageSize }) =>
    footprintFrames({ pages: mappedPages(pages, pageSize), processes: 1 }),
  guestOptions: () => ({}),

  run(guest, { pages, accesses, pageSize }, prng) {
    // The order of a shuffled list, followed round and round, is one cycle through all nodes.
    const order = shuffled(pages, prng);
    const base = workingSet(guest, pages, pageSize);
    guest.measure();
    for (let done = 0; done < accesses;) {
      const steps = Math.min(pages, accesses - done);
      for (let i = 0; i < steps; i++) guest.read((base + (order[i] ?? 0)) as Vpn);
      done += steps;
    }
    guest.compute(accesses);
  },
};
