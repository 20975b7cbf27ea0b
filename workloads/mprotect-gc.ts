/**
 * A garbage collector's write barrier by page protection: protect the heap, let stores fault, unprotect.
 *
 * Shape: each cycle changes every entry of the heap at once, then entries one by one with a fault, a signal
 * and a system call each: guest faults that no host can avoid, and table updates that a shadow must follow.
 *
 * Source: Appel and Li, "Virtual Memory Primitives for User Programs", ASPLOS 1991.
 */
import type { Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import { type KernelSwitches, onDemand, type PageSize, switches } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, writeEach } from "./working-set.ts";

type MprotectGcParams = KernelSwitches & {
  /** Heap, in 4 KiB pages. */
  readonly pages: number;
  /** Collection cycles. */
  readonly collectionRounds: number;
  /** Accesses of the program between two cycles. */
  readonly accesses: number;
  /** Share of accesses that are stores, in percent. */
  readonly writePercent: number;
  readonly pageSize: PageSize;
};

export const mprotectGc: Workload<MprotectGcParams> = {
  title: "mprotect garbage collector",
  summary: "Write barrier by page protection (Boehm GC): mprotect, fault, signal, mprotect.",
  defaults: {
    pages: 1024,
    collectionRounds: 4,
    accesses: 10_000,
    writePercent: 10,
    pageSize: "4k",
    kpti: 0,
    pcid: 1,
    usedMemory: 1,
  },
  computeCycles: { perOp: 10, source: "assumed: the program's work per heap access" },
  guestFrames: ({ pages, pageSize }) =>
    footprintFrames({ pages: mappedPages(pages, pageSize), processes: 1 }),
  guestOptions: switches,

  run(guest, { pages, collectionRounds, accesses, writePercent, pageSize }, prng) {
    const mapped = mappedPages(pages, pageSize);
    const heap = guest.map(mapped, { ...onDemand(pageSize), onForbidden: "unprotect" });
    writeEach(guest, heap, pages);
    guest.measure();
    for (let round = 0; round < collectionRounds; round++) {
      guest.protect(heap, mapped, "read");
      for (let i = 0; i < accesses; i++) {
        const vpn = (heap + prng.below(pages)) as Vpn;
        if (prng.chance(writePercent)) guest.write(vpn);
        else guest.read(vpn);
      }
      guest.compute(accesses);
    }
  },
};
