/**
 * A hot-write set under dirty logging: what live migration sees of a busy guest.
 *
 * Shape: each round every page of the hot set is written for a first time again, and what that first write
 * costs is the dirty tracker: an exit when write-protected, an append with PML, nothing with A/D bits, which
 * pay when they are collected.
 */
import type { Gfn, Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { PageSize } from "./options.ts";
import type { Labelled, Workload } from "./workload.ts";
import { mappedPages, workingSet } from "./working-set.ts";

type HotWriteParams = {
  /** Data set, in 4 KiB pages. */
  readonly pages: number;
  /** Hot part of it, in percent of the pages. */
  readonly hotPercent: number;
  /** Share of stores that go to the hot part, in percent. */
  readonly hotWritePercent: number;
  /** Collections of the dirty log. */
  readonly logRounds: number;
  /** Stores between two collections. */
  readonly accesses: number;
  readonly pageSize: PageSize;
};

/** All of guest memory, however much there is. */
const allMemory = { start: 0 as Gfn, frames: 2 ** 32 };

export const hotWrite: Workload<HotWriteParams> & Labelled = {
  label: "schemes without a dirty log run unlogged and take no part",
  title: "Hot-write set under dirty logging",
  summary: "Live migration's pre-copy rounds: the dirty tracker pays per first write.",
  defaults: {
    pages: 4096,
    hotPercent: 10,
    hotWritePercent: 90,
    logRounds: 8,
    accesses: 20_000,
    pageSize: "4k",
  },
  computeCycles: { perOp: 20, source: "assumed: the program's work per store" },
  guestFrames: ({ pages, pageSize }) =>
    footprintFrames({ pages: mappedPages(pages, pageSize), processes: 1 }),
  guestOptions: () => ({}),

  run(guest, { pages, hotPercent, hotWritePercent, logRounds, accesses, pageSize }, prng) {
    const base = workingSet(guest, pages, pageSize);
    const hotPages = Math.max(1, Math.floor((pages * hotPercent) / 100));
    guest.measure();
    guest.host({ kind: "dirty-log-on", ...allMemory });
    for (let round = 0; round < logRounds; round++) {
      for (let i = 0; i < accesses; i++) {
        const reach = prng.chance(hotWritePercent) ? hotPages : pages;
        guest.write((base + prng.below(reach)) as Vpn);
      }
      guest.compute(accesses);
      guest.host({ kind: "dirty-log-get" });
      // What a get has not armed, a clear does.
      guest.host({ kind: "dirty-log-clear", ...allMemory });
    }
    guest.host({ kind: "dirty-log-off" });
  },
};
