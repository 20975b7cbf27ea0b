/**
 * A walk with a fixed stride of pages: column access to a row-major matrix.
 *
 * Shape: every access misses a TLB smaller than the working set, yet neighbouring entries of the tables
 * lie in one cache line, and the stride decides at which level of the tables locality ends.
 */
import type { Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { PageSize } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, workingSet } from "./working-set.ts";

type StridedParams = {
  /** Working set, in 4 KiB pages. */
  readonly pages: number;
  readonly accesses: number;
  /** Pages between two accesses. */
  readonly stride: number;
  readonly pageSize: PageSize;
};

export const strided: Workload<StridedParams> = {
  title: "Strided access",
  summary: "Matrix columns: each access on another page, the stride sets the level that misses.",
  defaults: { pages: 32_768, accesses: 300_000, stride: 17, pageSize: "4k" },
  computeCycles: { perOp: 4, source: "assumed: one multiply-add per element" },
  guestFrames: ({ pages, pageSize }) =>
    footprintFrames({ pages: mappedPages(pages, pageSize), processes: 1 }),
  guestOptions: () => ({}),

  run(guest, { pages, accesses, stride, pageSize }) {
    const base = workingSet(guest, pages, pageSize);
    guest.measure();
    let page = 0;
    for (let i = 0; i < accesses; i++) {
      guest.read((base + page) as Vpn);
      page = (page + stride) % pages;
    }
    guest.compute(accesses);
  },
};
