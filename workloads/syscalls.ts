/**
 * System calls that do nothing, with a little user work between: getpid in a loop.
 *
 * Shape: without KPTI no CR3 write and no difference between schemes; with it two and two reads per call, and they
 * dominate modern guests under shadow paging.
 *
 * Source: Huang et al., "PVM", SOSP 2023, table 2: getpid 0.06 us without KPTI, 0.22 with it under EPT and
 * 2.09 under shadow paging.
 */
import type { Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import { type KernelSwitches, switches } from "./options.ts";
import type { Workload } from "./workload.ts";
import { workingSet } from "./working-set.ts";

type SyscallsParams = KernelSwitches & {
  readonly calls: number;
  /** User working set, in 4 KiB pages. */
  readonly pages: number;
  readonly accessesPerCall: number;
};

export const syscalls: Workload<SyscallsParams> = {
  title: "System calls",
  summary: "getpid in a loop: under KPTI each call reads and writes CR3 twice.",
  defaults: { calls: 4000, pages: 32, accessesPerCall: 4, kpti: 0, pcid: 1, usedMemory: 1 },
  computeCycles: { perOp: 20, source: "assumed: loop and library wrapper around one call" },
  guestFrames: ({ pages }) => footprintFrames({ pages, processes: 1 }),
  guestOptions: switches,

  run(guest, { calls, pages, accessesPerCall }) {
    const base = workingSet(guest, pages, "4k");
    guest.measure();
    let page = 0;
    for (let i = 0; i < calls; i++) {
      guest.syscall();
      for (let access = 0; access < accessesPerCall; access++) {
        guest.read((base + page) as Vpn);
        page = page + 1 < pages ? page + 1 : 0;
      }
    }
    guest.compute(calls);
  },
};
