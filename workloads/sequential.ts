/**
 * A linear sweep, cache line by cache line: the friendliest pattern there is.
 *
 * Shape: one TLB miss per page and the walk's upper levels always cached, so every scheme looks good.
 */
import type { Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { PageSize } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, workingSet } from "./working-set.ts";

type SequentialParams = {
  /** Working set, in 4 KiB pages. */
  readonly pages: number;
  readonly accesses: number;
  /** Accesses to a page before the next one; 64 is one per cache line. */
  readonly accessesPerPage: number;
  /** Every how manieth access is a store; 0: none. */
  readonly writeEvery: number;
  readonly pageSize: PageSize;
};

export const sequential: Workload<SequentialParams> = {
  title: "Sequential sweep",
  summary: "STREAM-like scan of an array: one TLB miss per page, whatever the scheme.",
  defaults: {
    pages: 16_384,
    accesses: 2_000_000,
    accessesPerPage: 64,
    writeEvery: 4,
    pageSize: "4k",
  },
  computeCycles: { perOp: 2, source: "assumed: one vector operation per cache line" },
  guestFrames: ({ pages, pageSize }) =>
    footprintFrames({ pages: mappedPages(pages, pageSize), processes: 1 }),
  guestOptions: () => ({}),

  run(guest, { pages, accesses, accessesPerPage, writeEvery, pageSize }) {
    const base = workingSet(guest, pages, pageSize);
    guest.measure();
    let page = 0;
    let line = 0;
    let untilWrite = writeEvery;
    for (let i = 0; i < accesses; i++) {
      const vpn = (base + page) as Vpn;
      untilWrite -= 1;
      if (untilWrite === 0) {
        guest.write(vpn, (line % 64) * 64);
        untilWrite = writeEvery;
      } else {
        guest.read(vpn, (line % 64) * 64);
      }
      line += 1;
      if (line < accessesPerPage) continue;
      line = 0;
      page = page + 1 < pages ? page + 1 : 0;
    }
    guest.compute(accesses);
  },
};
