/**
 * forkwait: a process that forks and waits for a child which exits at once, in a loop.
 *
 * Shape: write-protecting the parent, building and tearing down the child's tables and the COW faults after
 * it; 40 000 rounds of it took 6.0 s natively and 106 s under first-generation hardware shadow paging.
 *
 * Source: Adams and Agesen, ASPLOS 2006, section 6.4 "Nanobenchmarks" and appendix.
 */
import { imageDataVpn, type Pid } from "../guest/guest.ts";
import { footprintFrames } from "../guest/footprint.ts";
import { type KernelSwitches, switches } from "./options.ts";
import type { Workload } from "./workload.ts";
import { writeEach } from "./working-set.ts";

type ForkwaitParams = KernelSwitches & {
  readonly forks: number;
  /** Program image, in 4 KiB pages: half code, half data that the parent has written. */
  readonly pages: number;
  /** Data pages that the child writes before it exits. */
  readonly childWrites: number;
};

export const forkwait: Workload<ForkwaitParams> = {
  title: "fork, exit, wait",
  summary: "Process creation storm (shell scripts, CGI): address spaces are born and die.",
  defaults: { forks: 100, pages: 64, childWrites: 4, kpti: 0, pcid: 1, usedMemory: 1 },
  computeCycles: { perOp: 500, source: "assumed: libc work around fork and wait" },
  guestFrames: ({ pages }) => footprintFrames({ pages: 3 * pages, processes: 2 }),
  guestOptions: switches,

  run(guest, { forks, pages, childWrites }) {
    guest.exec(pages);
    const data = imageDataVpn(guest, pages);
    const dataPages = Math.floor(pages / 2);
    writeEach(guest, data, dataPages);
    guest.measure();
    const parent = 1 as Pid;
    for (let i = 0; i < forks; i++) {
      const child = guest.fork();
      // The parent's first act is to note the child down: it stores to a page that is shared now.
      writeEach(guest, data, Math.min(1, dataPages));
      guest.switchTo(child);
      writeEach(guest, data, Math.min(childWrites, dataPages));
      guest.exit(parent);
    }
    guest.compute(forks);
  },
};
