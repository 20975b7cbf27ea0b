/**
 * Demand paging and copy-on-write: what the #PF handler does once the region allows the access.
 *
 * A fault fills one page: zeros, a page of a file, a copy, or a 2 MiB page where the region asks for one
 * and it fits. Not-present to present needs no flush; every other change is flushed before it is relied on.
 *
 * Source: Linux mm/memory.c (do_anonymous_page, do_read_fault, do_cow_fault, do_wp_page).
 */
import { entriesPerTable, type Gfn, indexAt, type Vpn } from "../machine/address.ts";
import {
  asLarge,
  frameOf,
  isLarge,
  isWritable,
  noExecute,
  nxOf,
  userLink,
  userPage,
  withAccessed,
  withDirty,
  withoutWrite,
} from "../machine/formats/x86-entry.ts";
import type { AddressSpace } from "./address-space.ts";
import type { PageCache } from "./page-cache.ts";
import { isUsed, type Leaf, type PageTables, type TableParts } from "./page-tables.ts";
import { protectedFlags } from "./protection.ts";
import type { Vma } from "./vmas.ts";

/** A read fault on a file maps up to this many cached pages around it (Linux's fault_around_bytes). */
const faultAroundPages = 16;
const presentUser = withoutWrite(userLink);

export interface Fault {
  readonly space: AddressSpace;
  readonly vma: Vma;
  readonly vpn: Vpn;
  readonly write: boolean;
}

export interface FaultParts extends TableParts {
  readonly tables: PageTables;
  readonly pageCache: PageCache;
  /** The frame of zeros that untouched memory reads from; it never loses its own reference. */
  readonly zeroFrame: Gfn;
}

/** Makes one access possible. False: the entry allows it already, so nothing was to be done. */
export function resolveFault(parts: FaultParts, fault: Fault): boolean {
  const { map, tables } = parts;
  const { space, vma, vpn, write } = fault;
  const directory = tables.tableAt(space, vpn, 2);
  const slot = indexAt(vpn, 2);
  const pde = map.load(directory, slot);
  const pdeHigh = map.high;
  let table: Gfn;
  if (!isUsed(pde)) {
    if (fitsHugePage(parts, vma, vpn) && fillHugePage(parts, vma, { directory, slot })) return true;
    table = tables.growTable(space, { table: directory, index: slot, level: 2 });
  } else if (!isLarge(pde)) {
    table = frameOf(pde, pdeHigh) as Gfn;
  } else {
    const leaf = { vpn, level: 2, table: directory, index: slot, low: pde, high: pdeHigh };
    if (!write || isWritable(pde)) return markLeaf(parts, leaf, write);
    if (reuseHugePage(parts, leaf)) return true;
    table = tables.splitLeaf(leaf);
  }

  const index = indexAt(vpn, 1);
  const low = map.load(table, index);
  if (!isUsed(low)) {
    fillPage(parts, fault, { table, index });
    return true;
  }
  const leaf = { vpn, level: 1, table, index, low, high: map.high };
  if (!write || isWritable(low)) return markLeaf(parts, leaf, write);
  if (vma.file !== null) space.copiedFiles.add(vma.file);
  copyOnWrite(parts, leaf);
  return true;
}

/**
 * Where A and D are the kernel's, an access that the entry allows faults until they are set, and what silicon has cached
 * of the entry goes (Linux arch/riscv `update_mmu_cache`).
 */
function markLeaf(
  { map, contexts }: FaultParts,
  { vpn, table, index, low, high }: Leaf,
  write: boolean,
): boolean {
  const marked = write ? withDirty(withAccessed(low)) : withAccessed(low);
  if (map.isa.marks === "silicon" || marked === low) return false;
  map.store(table, index, marked, high);
  contexts.flushPage(vpn);
  return true;
}

function fillPage(parts: FaultParts, fault: Fault, at: { table: Gfn; index: number }): void {
  const { vma } = fault;
  if (vma.file === null) fillAnonymous(parts, fault, at);
  else fillFromFile(parts, { ...fault, file: vma.file }, at);
}

function fillAnonymous(
  { map, frames, options, zeroFrame }: FaultParts,
  { vma, write }: Fault,
  { table, index }: { table: Gfn; index: number },
): void {
  const nx = vma.executable ? 0 : noExecute;
  if (!write && options.sharedZeroPage) {
    frames.share(zeroFrame);
    map.storeEntry(table, index, zeroFrame, presentUser, nx);
    return;
  }
  const frame = frames.take();
  map.zero(frame);
  // The page is this process's alone, so even a read may make it writable: saves the second fault.
  const flags = vma.access === "read-write" ? userPage : presentUser;
  map.storeEntry(table, index, frame, flags, nx);
}

function fillFromFile(
  { map, frames, pageCache }: FaultParts,
  { space, vma, vpn, write, file }: Fault & { readonly file: number },
  { table, index }: { table: Gfn; index: number },
): void {
  const nx = vma.executable ? 0 : noExecute;
  const filePageOf = (page: number) => vma.filePage + page - vma.start;
  const cached = pageCache.get(file, filePageOf(vpn), map);
  if (write) {
    const frame = frames.take();
    space.copiedFiles.add(file);
    map.copy(frame, cached);
    map.storeEntry(table, index, frame, userPage, nx);
    return;
  }
  frames.share(cached);
  map.storeEntry(table, index, cached, presentUser, nx);
  const window = vpn - (vpn % faultAroundPages);
  for (let i = 0; i < faultAroundPages; i++) {
    const page = window + i;
    if (page === vpn || page < vma.start || page >= vma.end) continue;
    const neighbour = pageCache.peek(file, filePageOf(page));
    const slot = index - (vpn - page);
    if (neighbour === undefined || isUsed(map.load(table, slot))) continue;
    frames.share(neighbour);
    // Young, as the page itself: x86 Linux leaves it so (`arch_wants_old_prefaulted_pte` is arm64's alone).
    map.storeEntry(table, slot, neighbour, presentUser, nx);
  }
}

/** A store to a page that is read-only because it is, or was, shared. */
function copyOnWrite(parts: FaultParts, { vpn, table, index, low, high }: Leaf): void {
  const { map, frames, contexts, zeroFrame } = parts;
  const old = frameOf(low, high);
  const nx = nxOf(high);
  if (frames.isExclusive(old)) {
    map.storeEntry(table, index, old, userPage, nx);
    contexts.flushPage(vpn);
    return;
  }
  const frame = frames.take();
  if (old === zeroFrame) map.zero(frame);
  else map.copy(frame, old as Gfn);
  // Cleared and flushed first: nobody may see old and new frame at once.
  map.clear(table, index);
  contexts.flushPage(vpn);
  map.storeEntry(table, index, frame, userPage, nx);
  frames.release(old);
}

function fitsHugePage({ options }: FaultParts, vma: Vma, vpn: Vpn): boolean {
  const start = vpn - (vpn % entriesPerTable);
  return (
    options.thp &&
    vma.huge &&
    vma.file === null &&
    start >= vma.start &&
    start + entriesPerTable <= vma.end
  );
}

/** False when no 2 MiB block is left: the fault falls back to a small page. */
function fillHugePage(
  { map, frames }: FaultParts,
  vma: Vma,
  { directory, slot }: { directory: Gfn; slot: number },
): boolean {
  const first = frames.takeBlock();
  if (first === null) return false;
  for (let i = 0; i < entriesPerTable; i++) map.zero((first + i) as Gfn);
  const flags = withDirty(withAccessed(asLarge(protectedFlags(vma.access, true))));
  map.storeEntry(directory, slot, first, flags, vma.executable ? 0 : noExecute);
  return true;
}

/** True when the 2 MiB page is this process's alone and could be made writable as it is. */
function reuseHugePage(parts: FaultParts, { vpn, table, index, low, high }: Leaf): boolean {
  const { map, frames, contexts } = parts;
  const first = frameOf(low, high);
  for (let i = 0; i < entriesPerTable; i++) {
    if (!frames.isExclusive(first + i)) return false;
  }
  map.storeEntry(table, index, first, asLarge(userPage), nxOf(high));
  contexts.flushPage((vpn - (vpn % entriesPerTable)) as Vpn);
  return true;
}
