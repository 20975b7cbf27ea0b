/**
 * Copy-on-write of guest memory: what a snapshot keeps and what a clone starts with.
 *
 * Model: a fork of the VMM's memory. Everything is unmapped from the engine's tables (Linux tells the notifier
 * of the whole range) and mapped again, read-only, as it is used. Bias: none.
 *
 * Source: Linux mm/memory.c `copy_page_range`, `wp_page_copy`, `wp_page_reuse`.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { FrameContents } from "../../machine/memory.ts";
import type { FrameMemory } from "../platform.ts";
import type { Pins } from "./pins.ts";
import type { HostTable } from "./table.ts";

/** A second hold on the frames of a guest: they are read-only for everybody while it lasts. */
export interface SharedPages {
  /** Host pages by their first frame, and the 4 KiB pages of each: 1, 512 or 512^2. */
  readonly pages: readonly { readonly gfn: Gfn; readonly pfn: Pfn; readonly pages: number }[];
  readonly swapped: readonly (readonly [Gfn, FrameContents])[];
  /** Pages that the host took away and nobody touched since: they come back as zeros, one by one. */
  readonly lost: readonly Gfn[];
  /** Frames that no memslot covers. */
  readonly holes: readonly Gfn[];
}

export interface ShareParts {
  readonly memory: FrameMemory;
  readonly table: HostTable;
}

/**
 * Takes hold of every page in the range. The caller has unmapped it from the engine's tables. What a device may reach is copied
 * at once: its own frame goes on changing.
 */
export function sharePages(
  { memory, table, pins }: ShareParts & { readonly pins: Pins },
  start: Gfn,
  frames: number,
): SharedPages["pages"] {
  // A large page that the range covers in part is no longer one.
  table.splitAt(start);
  table.splitAt((start + frames) as Gfn);
  for (const gfn of pins.in(start, frames)) table.split(gfn);
  const pages: { gfn: Gfn; pfn: Pfn; pages: number }[] = [];
  table.forEach(start, frames, (gfn, pfn, count) => {
    if (pins.has(gfn)) {
      const copy = memory.allocateSpare();
      memory.copy(copy, pfn);
      pages.push({ gfn, pfn: copy, pages: 1 });
      return;
    }
    for (let i = 0; i < count; i++) memory.share((pfn + i) as Pfn);
    if (table.isWritable(gfn)) table.setRights(gfn, "read");
    pages.push({ gfn, pfn, pages: count });
  });
  return pages;
}

/** Lets go of them. */
export function releasePages(memory: FrameMemory, { pages }: SharedPages): void {
  for (const { pfn, pages: count } of pages) {
    for (let i = 0; i < count; i++) memory.release((pfn + i) as Pfn);
  }
}

/** Frames kept, page by page. */
export function framesOf({ pages }: SharedPages): Map<Gfn, Pfn> {
  const frames = new Map<Gfn, Pfn>();
  for (const { gfn, pfn, pages: count } of pages) {
    for (let i = 0; i < count; i++) frames.set((gfn + i) as Gfn, (pfn + i) as Pfn);
  }
  return frames;
}

/** Does nobody else use any frame of the host page around `gfn`? */
export function isUnshared({ memory, table }: ShareParts, gfn: Gfn, pfn: Pfn): boolean {
  const pages = 2 ** table.orderOf(gfn);
  const base = pfn - (gfn % pages);
  for (let i = 0; i < pages; i++) if (memory.isShared((base + i) as Pfn)) return false;
  return true;
}
