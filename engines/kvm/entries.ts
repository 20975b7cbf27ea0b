/**
 * Shadow entries as bytes: made, dropped, write-protected, with the reverse maps kept in step.
 *
 * Bit 10, which silicon ignores, says "may be made writable": it is clear when a shadowed table needs the
 * protection, and set when only dirty logging took W away.
 *
 * Source: KVM mmu.rst, "Shadow pages" and "Dirty logging"; SDM vol. 3A 4.5.
 */
import { x86 } from "../../machine/formats/x86.ts";
import { entriesPerTable, type Gfn, type Pfn } from "../../machine/address.ts";
import {
  ACC_USER,
  ACC_WRITE,
  asLarge,
  frameOf,
  highHalf,
  isLarge,
  isWritable,
  lowHalf,
  nxFor,
  withPresent,
  withUser,
  withWrite,
} from "../../machine/formats/x86-entry.ts";
import { mayBecomeWritable } from "./unsync.ts";
import { type EntryRef, hasOwnFrames, indexOf, mappedGfn, type ShadowPage } from "./shadow-page.ts";
import type { Vm } from "./vm.ts";

/** The protection comes from logging alone: a write fault may lift it. */
export const MMU_WRITABLE = 0x400;

export function readLow(vm: Vm, page: ShadowPage, index: number): number {
  return vm.memory.readLow(page.table, index);
}

export function isLeaf(low: number, level: number): boolean {
  return level === 1 || isLarge(low);
}

/** The page that a present upper entry points to. */
export function childOf(vm: Vm, page: ShadowPage, index: number): ShadowPage {
  const { memory } = vm;
  return vm.pages.ofTable(
    frameOf(memory.readLow(page.table, index), memory.readHigh(page.table, index)),
  );
}

/** What a leaf entry should say. */
export interface LeafWish {
  readonly gfn: Gfn;
  readonly pfn: Pfn;
  /** The guest's rights, D included: a clean page is not writable. */
  readonly access: number;
  /** `fault`: an access needs it now. `prefetch`: filled on suspicion. `sync`: brought up to date. */
  readonly cause: "fault" | "prefetch" | "sync";
}

export interface LeafEntry {
  readonly low: number;
  readonly high: number;
  /** W was withheld because the frame is a shadowed table. */
  readonly writeProtected: boolean;
}

/** The bytes of a leaf entry. May take a leaf table out of sync, and notes the write for dirty logging. */
export function makeLeaf(vm: Vm, page: ShadowPage, oldLow: number, wish: LeafWish): LeafEntry {
  const { gfn, pfn, access, cause } = wish;
  const { accessed, dirty, always } = vm.bits;
  let low = withPresent(always);
  if (cause === "fault") low |= accessed;
  if (page.key.level > 1) low = asLarge(low);
  if (access & ACC_USER) low = withUser(low);
  let writeProtected = false;
  if (access & ACC_WRITE) {
    if (!vm.guest.isWritable(gfn)) {
      // The host shares the frame: read-only without a promise. A write fault asks the host first.
    } else if (isWritable(oldLow)) {
      // An entry that was writable is not checked again: protecting it was somebody else's duty. Nor does it get
      // D: silicon sets that, so a page read only keeps an entry that a later fault finds unchanged. What marks MMIO
      // counts as writable (`is_writable_pte`).
      low = withWrite(low | MMU_WRITABLE);
    } else if (mayBecomeWritable(vm, gfn, cause)) {
      low = withWrite(low | MMU_WRITABLE | dirty);
    } else {
      writeProtected = true;
    }
  }
  if (isWritable(low)) vm.dirtyLog.mark(gfn);
  return { low: lowHalf(pfn, low), high: highHalf(pfn, nxFor(access)), writeProtected };
}

function levelOf(page: ShadowPage): 1 | 2 | 3 {
  return page.key.level as 1 | 2 | 3;
}

/** Counts leaf entries by size, as `pages_4k` and `pages_2m` do. */
function countLeaf(vm: Vm, level: number, step: 1 | -1): void {
  if (level === 1) vm.gauges.leafEntries4kNow += step;
  else if (level === 2) vm.gauges.leafEntries2mNow += step;
}

/** A leaf entry came into being. */
export function mapLeaf(vm: Vm, page: ShadowPage, index: number, wish: LeafWish): void {
  const { gfn, access } = wish;
  if (hasOwnFrames(page.key)) page.gfns[index] = gfn;
  if (!page.key.direct) page.accesses[index] = access;
  countLeaf(vm, page.key.level, 1);
  const entries = vm.maps[levelOf(page)].add(gfn, refOf(page, index));
  // The newcomer goes with the others, and faults again.
  if (entries > vm.policy.reverseMapMax + 1) dropMappings(vm, gfn, levelOf(page));
}

/** A present leaf entry becomes not present. */
export function dropLeaf(vm: Vm, page: ShadowPage, index: number): void {
  vm.ledger.entriesDropped += 1;
  countLeaf(vm, page.key.level, -1);
  vm.maps[levelOf(page)].remove(mappedGfn(page, index), refOf(page, index));
  vm.memory.write(page.table, index, 0, 0);
}

export function refOf(page: ShadowPage, index: number): EntryRef {
  return page.id * entriesPerTable + index;
}

/** Drops every entry of one size that maps the frame; true if there was one. */
export function dropMappings(vm: Vm, gfn: Gfn, level: 1 | 2 | 3): boolean {
  const refs = vm.maps[level].entries(gfn);
  for (const ref of refs) dropLeaf(vm, vm.pages.ofRef(ref), indexOf(ref));
  return refs.length > 0;
}

/**
 * Takes W away from the entries of one size that map the frame; true if cached translations may be stale.
 * `table`: the frame is a shadowed table now. `log`: writes are to be noticed, no more.
 */
function protectMappings(vm: Vm, gfn: Gfn, level: 1 | 2 | 3, why: "table" | "log"): boolean {
  let stale = false;
  const drop = why === "table" ? x86.write | MMU_WRITABLE : x86.write;
  for (const ref of vm.maps[level].entries(gfn)) {
    const { table } = vm.pages.ofRef(ref);
    const low = vm.memory.readLow(table, indexOf(ref));
    if ((low & drop) === 0) continue;
    vm.ledger.entriesWriteProtected += 1;
    vm.memory.write(table, indexOf(ref), low & ~drop, vm.memory.readHigh(table, indexOf(ref)));
    stale = true;
  }
  return stale;
}

/** Makes the next write through entries of one size that map the frame known to the log; true if a flush is due. */
export function armMappings(vm: Vm, gfn: Gfn, level: 1 | 2 | 3): boolean {
  const { armsByDirty, dirty } = vm.bits;
  if (!armsByDirty || level > 1) return protectMappings(vm, gfn, level, "log");
  let stale = false;
  for (const ref of vm.maps[level].entries(gfn)) {
    const { table } = vm.pages.ofRef(ref);
    const low = vm.memory.readLow(table, indexOf(ref));
    if ((low & dirty) === 0) continue;
    vm.ledger.entriesDirtyCleared += 1;
    vm.memory.setLow(table, indexOf(ref), low & ~dirty);
    stale = true;
  }
  return stale;
}

/** Protects a frame that is a shadowed table, whatever the size of the pages that map it. */
export function protectTable(vm: Vm, gfn: Gfn): boolean {
  const small = protectMappings(vm, gfn, 1, "table");
  const large = protectMappings(vm, gfn, 2, "table");
  return protectMappings(vm, gfn, 3, "table") || small || large;
}
