/**
 * Pages of the kernel half on demand: what the boot image has stays, what it lacks gets a frame and tables.
 * Small pages never become a large one.
 *
 * A large page of the direct map or of text is split where a small one is wanted: the table is filled first and
 * linked by one store, for the kernel's own work goes through the page that is split. A new top-level entry goes
 * into every root, so that each process has the same kernel half.
 *
 * Source: Linux mm/vmalloc.c (vmap_pages_range), arch/x86/mm/init_64.c (sync_global_pgds),
 * arch/x86/mm/pat/set_memory.c (split_large_page).
 */
import { entriesPerTable, type Gfn, indexAt, pagesPerEntry, type Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import {
  asGlobal,
  asLarge,
  asSmall,
  flagsOf,
  frameOf,
  isLarge,
  isPresent,
  kernelPage,
  noExecute,
  nxOf,
} from "../machine/formats/x86-entry.ts";
import type { AddressSpace } from "./address-space.ts";
import type { TableParts } from "./page-tables.ts";

export interface KernelPage {
  readonly vpn: Vpn;
  /** 1 for 4 KiB, 2 for 2 MiB. */
  readonly level: 1 | 2;
}

interface Slot {
  readonly table: Gfn;
  readonly index: number;
}

/** `processes` are all there are. */
export function mapKernelPage(
  parts: TableParts,
  processes: readonly { readonly space: AddressSpace }[],
  { vpn, level }: KernelPage,
): void {
  const { map, options, kernelRoot } = parts;
  let table = kernelRoot;
  for (let above: number = options.levels; above > level; above--) {
    const index = indexAt(vpn, above);
    const low = map.load(table, index);
    const high = map.high;
    if (!isPresent(low)) {
      const copies = above === options.levels ? processes : [];
      const slots = copies.map(({ space }) => ({ table: space.root, index }));
      table = linkTable(parts, [{ table, index }, ...slots]);
    } else if (!isLarge(low)) {
      table = frameOf(low, high) as Gfn;
    } else {
      table = splitLeaf(parts, { table, index }, { vpn, level: above, low, high });
    }
  }
  const slot = { table, index: indexAt(vpn, level) };
  if (!isPresent(map.load(slot.table, slot.index))) fillPage(parts, slot, level);
}

/** Links a zeroed table at each of the slots. */
function linkTable({ map, frames }: TableParts, slots: readonly Slot[]): Gfn {
  const below = frames.take(0, "kernel");
  map.zero(below);
  for (const slot of slots) map.storeLink(slot, below, kernelPage);
  return below;
}

/** The same rights in 512 entries of the next level. */
function splitLeaf(
  { map, frames, contexts }: TableParts,
  { table, index }: Slot,
  { vpn, level, low, high }: { vpn: Vpn; level: number; low: number; high: number },
): Gfn {
  const small = frames.take(0, "kernel");
  const first = frameOf(low, high);
  const span = pagesPerEntry(level - 1);
  const flags = level > 2 ? flagsOf(low) : asSmall(flagsOf(low));
  for (let i = 0; i < entriesPerTable; i++) {
    map.storeEntry(small, i, first + i * span, flags, nxOf(high));
  }
  map.storeLink({ table, index }, small, kernelPage);
  contexts.flushPage(vpn);
  return small;
}

function fillPage({ map, frames, options }: TableParts, { table, index }: Slot, level: 1 | 2) {
  const block = level === 2 ? frames.takeBlock() : frames.take(0, "kernel");
  assert(block !== null, "guest: no 2 MiB of memory in one piece");
  for (let i = 0; i < pagesPerEntry(level); i++) map.zero((block + i) as Gfn);
  // Under KPTI no kernel page but the entry area may outlive the way back to user mode.
  const flags = options.globalPages && !options.kpti ? asGlobal(kernelPage) : kernelPage;
  map.storeEntry(table, index, block, level === 2 ? asLarge(flags) : flags, noExecute);
}
