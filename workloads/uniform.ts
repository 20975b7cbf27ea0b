/**
 * Uniform random access over one region: the worst case for every translation cache.
 *
 * Shape: TLB reach decides everything; beyond it only the walk caches of the upper levels ever hit.
 */
import type { Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { PageSize } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, scatteredOffset, workingSet } from "./working-set.ts";

type UniformParams = {
  /** Working set, in 4 KiB pages. */
  readonly pages: number;
  readonly accesses: number;
  /** Share of accesses that are stores, in percent. */
  readonly writePercent: number;
  readonly pageSize: PageSize;
};

export const uniform: Workload<UniformParams> = {
  title: "Uniform random access",
  summary: "Hash-table lookups without locality: TLB reach against working set decides.",
  defaults: { pages: 32_768, accesses: 300_000, writePercent: 30, pageSize: "4k" },
  computeCycles: { perOp: 4, source: "assumed: address arithmetic of one hashed access" },
  guestFrames: ({ pages, pageSize }) =>
    footprintFrames({ pages: mappedPages(pages, pageSize), processes: 1 }),
  guestOptions: () => ({}),

  run(guest, { pages, accesses, writePercent, pageSize }, prng) {
    const base = workingSet(guest, pages, pageSize);
    guest.measure();
    for (let i = 0; i < accesses; i++) {
      const vpn = (base + prng.below(pages)) as Vpn;
      if (prng.chance(writePercent)) guest.write(vpn, scatteredOffset(i));
      else guest.read(vpn, scatteredOffset(i));
    }
    guest.compute(accesses);
  },
};
