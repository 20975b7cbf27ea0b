/**
 * Context-switch ping-pong: K processes in turn, each touching a few pages of its own.
 *
 * Shape: a CR3 write per switch. With PCID translations survive it, without they do not; under shadow paging
 * the write itself exits, whatever the tags.
 *
 * Source: lat_ctx of lmbench (McVoy and Staelin, USENIX 1996).
 */
import type { Vpn } from "../machine/address.ts";
import type { Guest, Pid } from "../guest/guest.ts";
import { footprintFrames } from "../guest/footprint.ts";
import { type KernelSwitches, type PageSize, switches } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, workingSet } from "./working-set.ts";

type ContextSwitchParams = KernelSwitches & {
  readonly processes: number;
  readonly switches: number;
  /** Working set of each process, in 4 KiB pages. */
  readonly pages: number;
  /** Pages touched between two switches, in order. */
  readonly touchedPages: number;
  readonly pageSize: PageSize;
};

interface Runner {
  readonly pid: Pid;
  /** First page of its data. */
  readonly base: Vpn;
}

/** The processes, the first one running, each with data of its own. */
function startRunners(guest: Guest, { processes, pages, pageSize }: ContextSwitchParams): Runner[] {
  const pids = [1 as Pid];
  // Forked before there is data, as separate programs would be: no page is shared.
  for (let i = 1; i < processes; i++) pids.push(guest.fork());
  const runners = pids.toReversed().map((pid) => {
    guest.switchTo(pid);
    return { pid, base: workingSet(guest, pages, pageSize) };
  });
  return runners.toReversed();
}

export const contextSwitch: Workload<ContextSwitchParams> = {
  title: "Context-switch ping-pong",
  summary: "lat_ctx: K processes in a ring, a CR3 write each; PCID decides what survives.",
  defaults: {
    processes: 4,
    switches: 2000,
    pages: 64,
    touchedPages: 16,
    pageSize: "4k",
    kpti: 0,
    pcid: 1,
    usedMemory: 1,
  },
  computeCycles: { perOp: 300, source: "assumed: pipe read and write of one token" },
  guestFrames: ({ pages, processes, pageSize }) =>
    footprintFrames({
      pages: mappedPages(pages, pageSize) * processes,
      processes,
    }),
  guestOptions: switches,

  run(guest, params) {
    const { pages, touchedPages } = params;
    const runners = startRunners(guest, params);
    guest.measure();
    let runner = 0;
    let page = 0;
    for (let i = 0; i < params.switches; i++) {
      runner = (runner + 1) % runners.length;
      const next = runners[runner];
      if (next === undefined) continue;
      guest.switchTo(next.pid);
      for (let touched = 0; touched < touchedPages; touched++) {
        guest.read((next.base + page) as Vpn);
        page = page + 1 < pages ? page + 1 : 0;
      }
    }
    guest.compute(params.switches);
  },
};
