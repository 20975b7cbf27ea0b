/**
 * Zipf-distributed access, exponent 0.99: a few pages are hot, the tail is long.
 *
 * Shape: the hot pages live in the TLB, the tail misses; between the two lies what a real cache sees.
 *
 * Source: YCSB's request distribution (Cooper et al., SoCC 2010).
 */
import type { Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { PageSize } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, scatteredOffset, workingSet } from "./working-set.ts";
import { zipfExponent, zipfSampler } from "./zipf-sampler.ts";

type ZipfParams = {
  /** Working set, in 4 KiB pages. */
  readonly pages: number;
  readonly accesses: number;
  /** Share of accesses that are stores, in percent. */
  readonly writePercent: number;
  readonly pageSize: PageSize;
};

export const zipf: Workload<ZipfParams> = {
  title: "Zipf 0.99 access",
  summary: "A cache's key popularity: the hot set hits, the tail walks.",
  defaults: { pages: 32_768, accesses: 300_000, writePercent: 5, pageSize: "4k" },
  computeCycles: { perOp: 20, source: "assumed: hashing one short key" },
  guestFrames: ({ pages, pageSize }) =>
    footprintFrames({ pages: mappedPages(pages, pageSize), processes: 1 }),
  guestOptions: () => ({}),

  run(guest, { pages, accesses, writePercent, pageSize }, prng) {
    const draw = zipfSampler(pages, zipfExponent, prng);
    const base = workingSet(guest, pages, pageSize);
    guest.measure();
    for (let i = 0; i < accesses; i++) {
      const vpn = (base + draw()) as Vpn;
      if (prng.chance(writePercent)) guest.write(vpn, scatteredOffset(i));
      else guest.read(vpn, scatteredOffset(i));
    }
    guest.compute(accesses);
  },
};
