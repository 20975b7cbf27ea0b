/**
 * A program that writes at a steady rate: so many pages a second, anywhere in a part of its memory.
 *
 * Shape: what a migration is asked about. Cycles pass between two writes, so the rate is that of the parameters at the
 * processor's clock while nothing slows the program down, and less when its first writes after a collection exit.
 */
import type { Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { PageSize } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, workingSet } from "./working-set.ts";

type SteadyWriterParams = {
  /** All of its memory, in 4 KiB pages; every page holds data. */
  readonly pages: number;
  /** Pages that it goes on writing. */
  readonly writtenPages: number;
  readonly writeOps: number;
  /** Loads from the page after each write: nothing to translation, but the clock looks at accesses. */
  readonly readsPerWrite: number;
  /** From one write to the next. */
  readonly cyclesPerWrite: number;
  readonly pageSize: PageSize;
};

export const steadyWriter: Workload<SteadyWriterParams> = {
  title: "Steady writer",
  summary: "A guest that dirties so many pages a second: what live migration is asked about.",
  defaults: {
    pages: 16_384,
    writtenPages: 4096,
    writeOps: 20_000,
    readsPerWrite: 8,
    cyclesPerWrite: 10_000,
    pageSize: "4k",
  },
  computeCycles: { perOp: 1, source: "assumed: none, a parameter says how many cycles pass" },
  guestFrames: ({ pages, pageSize }) =>
    footprintFrames({ pages: mappedPages(pages, pageSize), processes: 1 }),
  guestOptions: () => ({}),

  run(guest, params, prng) {
    const { pages, writtenPages, writeOps, readsPerWrite, cyclesPerWrite, pageSize } = params;
    const base = workingSet(guest, pages, pageSize);
    const written = Math.min(pages, writtenPages);
    guest.measure();
    for (let i = 0; i < writeOps; i++) {
      const vpn = (base + prng.below(written)) as Vpn;
      guest.write(vpn);
      for (let read = 0; read < readsPerWrite; read++) guest.read(vpn);
      guest.compute(cyclesPerWrite);
    }
  },
};
