/** Sub-page write permissions in the plain unit: the walk of their table. */
import type { Pfn } from "../address.ts";
import { frameOf } from "../formats/x86-entry.ts";
import {
  linesPerPage,
  SPP_RESERVED_HIGH,
  SPP_RESERVED_LOW,
  SPP_RESERVED_ODD,
  SPP_VALID,
} from "../formats/sub-pages.ts";
import type { PhysicalMemory } from "../memory.ts";
import { STOP_SUB_PAGE_MALFORMED, STOP_SUB_PAGE_MISS } from "../mmu.ts";
import type { Stage } from "../stages.ts";
import { noStop, outside, type Stop } from "./stop.ts";
import type { DeniedLeaf, Request, WalkObserver } from "./tree.ts";

/** Is it only W that a store of the guest's lacks, and does the leaf say that there is more to ask? */
export function mayAskSubPages(
  { format, subPages }: Stage,
  { level, rights, high }: DeniedLeaf,
  { kind, duringWalk }: Request,
): boolean {
  const isStore = kind === "write" && !duringWalk;
  return (
    subPages !== null && isStore && level === 1 && (high & format.subPageHigh) !== 0 && rights.read
  );
}

/** May the guest store to all these lines of the page? */
export function subPagesAllow(
  memory: PhysicalMemory,
  root: Pfn,
  { page, lines }: Request,
  observer: WalkObserver,
): boolean | Stop {
  let pfn = root;
  for (let level = 4; ; level--) {
    if (pfn >= memory.frames) return outside(pfn);
    const index = Math.floor(page / 512 ** (level - 1)) % 512;
    const low = memory.readLow(pfn, index);
    const high = memory.readHigh(pfn, index);
    observer.reference({ dimension: "nested", level, pfn, index, low, high });
    if (level === 1) {
      if (((low | high) & SPP_RESERVED_ODD) !== 0) return event(STOP_SUB_PAGE_MALFORMED, page);
      return linesOf(low, high).every((mayWrite, line) => mayWrite || (lines & (1 << line)) === 0);
    }
    if ((low & SPP_VALID) === 0) return event(STOP_SUB_PAGE_MISS, page);
    if ((low & SPP_RESERVED_LOW) !== 0 || (high & SPP_RESERVED_HIGH) !== 0) {
      return event(STOP_SUB_PAGE_MALFORMED, page);
    }
    pfn = frameOf(low, high) as Pfn;
  }
}

function event(reason: number, gfn: number): Stop {
  return { ...noStop, reason, gfn, kind: "write" };
}

function linesOf(low: number, high: number): boolean[] {
  return Array.from({ length: linesPerPage }, (_, line) => {
    const half = line < 16 ? low : high;
    return ((half >>> (2 * (line % 16))) & 1) !== 0;
  });
}
