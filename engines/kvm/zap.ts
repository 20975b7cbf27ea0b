/**
 * Zapping: a shadow page goes, and everything that hung on it; and recycling, which zaps to make room.
 *
 * Children in sync stay, found again by their key; out-of-sync ones go too, since nobody would ever sync them.
 * A page that is somebody's root is only made invalid: it is freed when the last vCPU lets go of it.
 *
 * Source: KVM mmu.rst "Reaction to events"; victims strictly in order of creation (results/groundtruth).
 */
import { entriesPerTable, type Gfn } from "../../machine/address.ts";
import { isPresent } from "../../machine/formats/x86-entry.ts";
import { childOf, dropLeaf, isLeaf, readLow, refOf } from "./entries.ts";
import { type EntryRef, indexOf, type ShadowPage } from "./shadow-page.ts";
import { enterSync, findUnsync, settle } from "./unsync.ts";
import { flushRemote, type Vm } from "./vm.ts";

/** Pages zapped that wait for the flush before they are freed. */
export type Doomed = ShadowPage[];

/** An upper entry stops pointing to its child. */
export function unlinkChild(vm: Vm, child: ShadowPage, ref: EntryRef): void {
  child.parents.splice(child.parents.indexOf(ref), 1);
  vm.memory.write(vm.pages.ofRef(ref).table, indexOf(ref), 0, 0);
}

/** Whatever the entry holds goes; true if it was present. */
export function zapEntry(vm: Vm, page: ShadowPage, index: number): boolean {
  const low = readLow(vm, page, index);
  if (!isPresent(low)) return false;
  if (isLeaf(low, page.key.level)) dropLeaf(vm, page, index);
  else unlinkChild(vm, childOf(vm, page, index), refOf(page, index));
  return true;
}

/** Zaps a page. Returns how many pages are doomed by it: itself unless it is a root, and children. */
export function zapPage(vm: Vm, page: ShadowPage, doomed: Doomed): number {
  vm.ledger.shadowPagesZapped += 1;
  let zapped = zapUnsyncBelow(vm, page, doomed);
  for (let index = 0; index < entriesPerTable; index++) zapEntry(vm, page, index);
  for (const ref of page.parents.slice()) unlinkChild(vm, page, ref);
  if (!page.invalid && !page.key.direct) vm.track.remove(page);
  if (page.unsync) enterSync(vm, page);
  const wasValid = !page.invalid;
  vm.pages.invalidate(page);
  if (page.rootCount === 0) {
    zapped += 1;
    vm.pages.used -= 1;
    doomed.push(page);
  } else if (wasValid) {
    for (const state of vm.states) state.freeRoots = true;
  }
  return zapped;
}

function zapUnsyncBelow(vm: Vm, top: ShadowPage, doomed: Doomed): number {
  if (top.key.level === 1) return 0;
  let zapped = 0;
  for (let batch = findUnsync(vm, top); batch !== null; batch = findUnsync(vm, top)) {
    for (const found of batch) {
      zapPage(vm, found.page, doomed);
      settle(found);
      zapped += 1;
    }
  }
  return zapped;
}

/** Frees what was zapped, once no vCPU can still walk it. */
export function freeDoomed(vm: Vm, doomed: Doomed): void {
  if (doomed.length === 0) return;
  flushRemote(vm);
  for (const page of doomed) vm.pages.free(page);
}

/** Zaps every shadow of a guest table, so that the guest may write it. */
export function unshadow(vm: Vm, gfn: Gfn): void {
  const doomed: Doomed = [];
  const pages = vm.pages.of(gfn).filter(({ key }) => !key.direct);
  for (const page of pages) if (!page.invalid) zapPage(vm, page, doomed);
  freeDoomed(vm, doomed);
}

/** A memslot is gone: so is every shadow page, whatever it maps (`kvm_mmu_zap_all_fast`). A nested root is filled anew. */
export function zapAll(vm: Vm): void {
  const doomed: Doomed = [];
  // A copy: zapping takes pages out of the list.
  for (const page of Array.from(vm.pages.oldestFirst())) {
    if (page.invalid) continue;
    if (vm.isNested && page.rootCount > 0) {
      for (let index = 0; index < entriesPerTable; index++) zapEntry(vm, page, index);
    } else zapPage(vm, page, doomed);
  }
  freeDoomed(vm, doomed);
}

/** Called before pages are made: recycles the oldest when few are left. */
export function makeRoom(vm: Vm): void {
  const free = Math.max(0, vm.pageLimit - vm.pages.used);
  const { min, refill } = vm.policy.freePages;
  if (free >= min) return;
  const doomed: Doomed = [];
  const goal = refill - free;
  let zapped = 0;
  for (let rescan = true; rescan && zapped < goal;) {
    rescan = false;
    for (const page of vm.pages.oldestFirst()) {
      if (page.rootCount > 0) continue;
      const gone = zapPage(vm, page, doomed);
      zapped += gone;
      if (zapped >= goal) break;
      // Children went as well, so the scan starts again from the oldest.
      rescan = gone > 1;
      if (rescan) break;
    }
  }
  vm.ledger.shadowPagesRecycled += zapped;
  freeDoomed(vm, doomed);
}
