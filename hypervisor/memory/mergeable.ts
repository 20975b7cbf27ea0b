/**
 * Guest memory as a merger sees it, and whoever wants to know when a page is used.
 *
 * Source: Linux mm/ksm.c `write_protect_page`, `replace_page`; mm/mprotect.c `change_prot_numa`.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import type { FrameMemory, Platform } from "../platform.ts";
import type { Mergeable } from "./merger.ts";
import type { MmuNotifier } from "./notifier.ts";
import type { Pins } from "./pins.ts";
import type { HostRights, HostTable } from "./table.ts";

export interface MergeableParts {
  readonly memory: FrameMemory;
  readonly table: HostTable;
  readonly frames: number;
  readonly pins: Pins;
  readonly notifier: () => MmuNotifier;
  readonly platform: Platform;
}

export type MergeablePages = Omit<Mergeable, "counted"> & {
  /**
   * Every mapping of the page goes, and stays away until its next use, which exits: what a host does that wants to know
   * when a page is used (Linux's NUMA hinting faults, DAMON), or in which order (SEV-Step).
   */
  zap(gfn: Gfn): void;
};

export function mergeablePages(parts: MergeableParts): MergeablePages {
  const { memory, table, frames, pins, notifier, platform } = parts;

  function move(gfn: Gfn, pfn: Pfn, rights: HostRights): void {
    notifier().unmap(gfn, 1);
    table.split(gfn);
    const from = table.pfnOf(gfn);
    assert(from !== -1, `host memory: gfn ${gfn} joins a frame before it has one`);
    memory.share(pfn);
    table.map(gfn, pfn, rights);
    platform.hostObserver?.moved(gfn, pfn);
    memory.release(from);
  }

  return {
    forEachBacked(visit) {
      table.forEach(0 as Gfn, frames, (gfn, pfn, pages) => {
        for (let i = 0; i < pages; i++) {
          if (!pins.has(gfn + i)) visit((gfn + i) as Gfn, (pfn + i) as Pfn);
        }
      });
    },
    protect(gfn) {
      if (!table.isWritable(gfn)) return;
      notifier().unmap(gfn, 1);
      table.split(gfn);
      table.setRights(gfn, "read");
    },
    join: (gfn, pfn) => move(gfn, pfn, "read"),
    close(gfn, pfn) {
      if (table.pfnOf(gfn) !== pfn) move(gfn, pfn, "none");
      else if (!table.isClosed(gfn)) {
        notifier().unmap(gfn, 1);
        table.split(gfn);
        table.setRights(gfn, "none");
      }
    },
    zap: (gfn) => notifier().unmap(gfn, 1),
  };
}
