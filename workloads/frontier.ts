/**
 * Two knobs: how often an access misses the TLB, and how often a page-table entry changes.
 *
 * Shape: hot pages that always hit, a cold cycle that always misses, and now and then a page whose
 * protection is flipped: one PTE store and one INVLPG. Nothing else happens, so which scheme wins is a
 * function of the two rates.
 */
import type { Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import { onDemand } from "./options.ts";
import type { Workload } from "./workload.ts";
import { scatteredOffset, writeEach } from "./working-set.ts";
import { shuffled } from "./zipf-sampler.ts";

type FrontierParams = {
  readonly accesses: number;
  /** Share of accesses that miss every TLB, in thousandths. */
  readonly missPermille: number;
  /** Entries changed per million accesses. */
  readonly updatesPerMillion: number;
  /** Cold pages: more than any second-level TLB holds. */
  readonly pages: number;
};

const hotPages = 32;
const flippedPages = 8;
/**
 * Cold pages lie this far apart, so that their tables miss the walk caches, as a large heap's do. Odd, so
 * that they spread over all sets of a TLB.
 */
const stridePages = 17;

export const frontier: Workload<FrontierParams> = {
  title: "Two knobs: TLB misses and table updates",
  summary: "No program: a point of the plane on which nested and shadow paging divide the world.",
  defaults: { accesses: 50_000, missPermille: 100, updatesPerMillion: 1000, pages: 3072 },
  computeCycles: { perOp: 10, source: "assumed: work per access; both schemes pay it" },
  guestFrames: ({ pages }) =>
    footprintFrames({
      pages: pages + Math.ceil((pages * stridePages) / 512) + hotPages + flippedPages,
      processes: 1,
    }),
  guestOptions: () => ({}),

  run(guest, { accesses, missPermille, updatesPerMillion, pages }, prng) {
    const order = shuffled(pages, prng);
    const cold = guest.map(pages * stridePages, onDemand("4k"));
    for (let i = 0; i < pages; i++) guest.write((cold + i * stridePages) as Vpn);
    const hot = guest.map(hotPages, onDemand("4k"));
    writeEach(guest, hot, hotPages);
    const flipped = guest.map(flippedPages, onDemand("4k"));
    writeEach(guest, flipped, flippedPages);
    guest.measure();
    let misses = 0;
    let updates = 0;
    for (let i = 1; i <= accesses; i++) {
      // Evenly spread, like Bresenham's line: rates hold in any stretch of the run.
      if (Math.floor((i * missPermille) / 1000) > misses) {
        const page = order[misses % pages] ?? 0;
        guest.read((cold + page * stridePages) as Vpn, scatteredOffset(page));
        misses += 1;
      } else {
        guest.read((hot + (i % hotPages)) as Vpn);
      }
      if (Math.floor((i * updatesPerMillion) / 1_000_000) > updates) {
        const vpn = (flipped + (updates % flippedPages)) as Vpn;
        const isSecond = Math.floor(updates / flippedPages) % 2 === 1;
        guest.protect(vpn, 1, isSecond ? "read-write" : "read");
        guest.read(vpn);
        updates += 1;
      }
    }
    guest.compute(accesses);
  },
};
