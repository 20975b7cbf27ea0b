/**
 * Snapshot by fork: a server goes on writing while its child reads everything, as Redis's BGSAVE does.
 *
 * Shape: fork write-protects the whole data set, then each first store to a page costs a fault, a copy and
 * a flush: the burst of page-table updates that shadow paging fears most.
 */
import type { Vpn } from "../machine/address.ts";
import type { Guest, Pid } from "../guest/guest.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { Prng } from "../guest/prng.ts";
import { type KernelSwitches, type PageSize, switches } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, workingSet } from "./working-set.ts";

type CowSnapshotParams = KernelSwitches & {
  /** Data set, in 4 KiB pages. */
  readonly pages: number;
  readonly snapshotRounds: number;
  /** Requests that the parent serves during one snapshot. */
  readonly requests: number;
  /** Share of requests that write, in percent. */
  readonly writePercent: number;
  /** Turns that parent and child take during one snapshot. */
  readonly turns: number;
  readonly pageSize: PageSize;
};

/** Requests that read or write one random page each. */
function serve(guest: Guest, base: Vpn, params: CowSnapshotParams, prng: Prng): void {
  const { pages, requests, turns, writePercent } = params;
  const count = Math.ceil(requests / turns);
  for (let i = 0; i < count; i++) {
    const vpn = (base + prng.below(pages)) as Vpn;
    if (prng.chance(writePercent)) guest.write(vpn);
    else guest.read(vpn);
  }
  guest.compute(count);
}

export const cowSnapshot: Workload<CowSnapshotParams> = {
  title: "Fork snapshot",
  summary: "Redis BGSAVE: a forked child reads the data set while the parent writes to it.",
  defaults: {
    pages: 1536,
    snapshotRounds: 2,
    requests: 8000,
    writePercent: 50,
    turns: 16,
    pageSize: "4k",
    kpti: 0,
    pcid: 1,
    usedMemory: 1,
  },
  computeCycles: { perOp: 500, source: "assumed: parsing and answering one small request" },
  guestFrames: ({ pages, pageSize }) =>
    footprintFrames({ pages: 2 * mappedPages(pages, pageSize), processes: 2 }),
  guestOptions: switches,

  run(guest, params, prng) {
    const { pages, snapshotRounds, turns, pageSize } = params;
    const base = workingSet(guest, pages, pageSize);
    guest.measure();
    const parent = 1 as Pid;
    const share = Math.ceil(pages / turns);
    for (let round = 0; round < snapshotRounds; round++) {
      const child = guest.fork();
      for (let turn = 0; turn < turns; turn++) {
        serve(guest, base, params, prng);
        guest.switchTo(child);
        const end = Math.min(pages, (turn + 1) * share);
        for (let page = turn * share; page < end; page++) guest.read((base + page) as Vpn);
        if (turn + 1 < turns) guest.switchTo(parent);
      }
      guest.exit(parent);
    }
  },
};
