/**
 * Programs with one thing changed, through the calls that they make.
 */
import type { Guest } from "../../../guest/guest.ts";
import { guestWith } from "../../../guest/guest-with.ts";
import type { Vpn } from "../../../machine/address.ts";
import type { Workload, WorkloadParams } from "../../../workloads/workload.ts";

/** Of each `count` reads in a row the first alone: of a node with one line, not four. */
export function thinned<P extends WorkloadParams>(
  program: Workload<P>,
  count: number,
): Workload<P> {
  return {
    ...program,
    title: `${program.title}, one read of ${count}`,
    run(guest, params, prng) {
      let reads = 0;
      const read = (vpn: Vpn, offset?: number) => {
        if (reads++ % count === 0) guest.read(vpn, offset);
      };
      program.run(guestWith(guest, { read }), params, prng);
    },
  };
}

const blockPages = 32;

/** Maps, fills and unmaps a block of 128 KiB every so many accesses, as an allocator does, once it is measured. */
export function allocating<P extends WorkloadParams>(
  program: Workload<P>,
  accesses: number,
): Workload<P> {
  return {
    ...program,
    title: `${program.title}, a new block every ${accesses} accesses`,
    guestFrames: (params) => program.guestFrames(params) + 3 * blockPages,
    run(guest, params, prng) {
      let left = Number.POSITIVE_INFINITY;
      let block: Vpn | null = null;
      const count = () => {
        if (--left > 0) return;
        left = accesses;
        const fresh = guest.map(blockPages, { fill: "demand", pages: "4k", writable: true });
        for (let page = 0; page < blockPages; page++) guest.write((fresh + page) as Vpn);
        if (block !== null) guest.unmap(block, blockPages);
        block = fresh;
      };
      const calls: Partial<Guest> = {
        read: (vpn, offset) => (count(), guest.read(vpn, offset)),
        write: (vpn, offset) => (count(), guest.write(vpn, offset)),
        measure: () => ((left = accesses), guest.measure()),
      };
      program.run(guestWith(guest, calls), params, prng);
    },
  };
}
