/**
 * Syncing: an out-of-sync shadow page is brought up to date with its guest table.
 *
 * Only entries that are present are looked at; the rest wait for a fault (unless the policy fills them). An
 * entry whose guest entry lost P or A, or maps another frame, is dropped; changed rights are put in place.
 *
 * Source: KVM mmu.rst "Synchronized and unsynchronized pages"; rules 2, 3 and 9 of results/groundtruth.
 */
import { entriesPerTable, type Pfn } from "../../machine/address.ts";
import { frameOf, isPresent } from "../../machine/formats/x86-entry.ts";
import { dropLeaf, makeLeaf, protectTable, readLow } from "./entries.ts";
import { readGuestLeaf } from "./guest-leaf.ts";
import { prefetchEntry } from "./leaf.ts";
import { mappedAccess, mappedGfn, type ShadowPage } from "./shadow-page.ts";
import { enterSync, findUnsync, settle } from "./unsync.ts";
import { flushRemote, type Vm } from "./vm.ts";

/** Brings one entry up to date; true if cached translations may be stale. */
export function syncEntry(vm: Vm, page: ShadowPage, index: number): boolean {
  const { memory, policy } = vm;
  const old = readLow(vm, page, index);
  if (!isPresent(old)) {
    if (policy.syncFills) prefetchEntry(vm, page, index);
    return false;
  }
  const { gfn, access, usable } = readGuestLeaf(vm, page.key, index);
  if (!usable || gfn !== mappedGfn(page, index)) {
    dropLeaf(vm, page, index);
    return true;
  }
  if (policy.syncKeepsUnchanged && access === mappedAccess(page, index)) return false;
  page.accesses[index] = access;
  const pfn = frameOf(old, memory.readHigh(page.table, index)) as Pfn;
  const entry = makeLeaf(vm, page, old, { gfn, pfn, access, cause: "sync" });
  memory.write(page.table, index, entry.low, entry.high);
  return entry.low !== old;
}

/** Brings a page up to date; it stays out of sync, for its table stays writable. */
export function refresh(vm: Vm, page: ShadowPage): boolean {
  let isStale = false;
  for (let index = 0; index < entriesPerTable; index++) {
    if (syncEntry(vm, page, index)) isStale = true;
  }
  return isStale;
}

/** Syncs and protects again every out-of-sync page below `top`. */
export function syncBelow(vm: Vm, top: ShadowPage): void {
  for (let batch = findUnsync(vm, top); batch !== null; batch = findUnsync(vm, top)) {
    // All of the batch is protected before any of it is read: a table may map another one.
    let isStale = false;
    for (const { page } of batch) {
      if (protectTable(vm, page.key.gfn)) isStale = true;
    }
    for (const found of batch) {
      enterSync(vm, found.page);
      if (refresh(vm, found.page)) isStale = true;
      settle(found);
    }
    if (isStale) flushRemote(vm);
  }
}

/** Syncs and protects one page, wherever it hangs. */
export function syncPage(vm: Vm, page: ShadowPage): void {
  protectTable(vm, page.key.gfn);
  enterSync(vm, page);
  refresh(vm, page);
  flushRemote(vm);
}
