/** Two small guests in the memory of one host, and what the host does to both. */
import { type HostRoom, shareHost } from "../../machine/machine.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import { createMerger, type Mergeable, type Unmerging } from "../../hypervisor/memory/merger.ts";
import { engines } from "../../engines/index.ts";
import { frameOfPage, guestFramesFor, SmallGuest } from "./small-guest.ts";

/** One engine of each kind, since what a host does to memory costs each of them something else. */
export const twinEngines = {
  shadow: engines.shadow,
  "shadow-vtlb": engines["shadow-vtlb"],
  "kvm-6.12": engines["kvm-6.12"],
  ept: engines.ept,
} as const satisfies Record<string, Engine>;

export interface TwinOptions {
  readonly engine: Engine;
  /** User pages that each has, and how many of B's are mapped when it boots; A's all are. */
  readonly pages: number;
  readonly mappedOfB?: number;
  readonly check: boolean;
}

export interface TwinGuests {
  readonly a: SmallGuest;
  readonly b: SmallGuest;
}

export function twinGuests({ engine, pages, mappedOfB = pages, check }: TwinOptions): TwinGuests {
  const guestFrames = guestFramesFor(pages);
  const rooms = shareHost(2, { guestFrames, backing: "4k", vcpus: 1, slotsMax: 4096 });
  const [roomA, roomB] = rooms as [HostRoom, HostRoom];
  return {
    a: new SmallGuest({ engine, pages, host: roomA, check }),
    b: new SmallGuest({ engine, pages, mappedPages: mappedOfB, host: roomB, check }),
  };
}

/** The host merges the first `pages` pages of both: the second pass finds what has stood still since the first. */
export function mergePages({ a, b }: TwinGuests, pages: number, unmerging?: Unmerging): void {
  const merger = createMerger(a.machine.memory, unmerging);
  const guests = [a, b].map((guest) => firstPages(guest, pages));
  for (let pass = 0; pass < 2; pass++) merger.pass(guests);
}

/** The part of a guest's memory that its host may merge (`MADV_MERGEABLE`). */
function firstPages({ memory }: SmallGuest, pages: number): Mergeable {
  return {
    ...memory,
    forEachBacked(visit) {
      memory.forEachBacked((gfn, pfn) => {
        if (gfn >= frameOfPage(0) && gfn < frameOfPage(pages)) visit(gfn, pfn);
      });
    },
  };
}
