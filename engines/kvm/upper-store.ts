/**
 * Stores to shadowed tables that were emulated: the entry goes, and too many of them unshadow the table.
 *
 * Three stores with no walk through the page in between look like a table that is built, copied or not a
 * table any more; then it is better to let the guest write it.
 *
 * Source: rule 6 of results/groundtruth.
 */
import type { Gfn } from "../../machine/address.ts";
import {
  accessOf,
  frameOf,
  isAccessed,
  isLarge,
  isPresent,
  userLink,
} from "../../machine/formats/x86-entry.ts";
import { refOf } from "./entries.ts";
import { type ShadowPage } from "./shadow-page.ts";
import { refresh, syncBelow } from "./sync.ts";
import { markUnsyncChild } from "./unsync.ts";
import { flushRemote, type Vm } from "./vm.ts";
import { type Doomed, freeDoomed, zapEntry, zapPage } from "./zap.ts";

export interface TableStore {
  readonly gfn: Gfn;
  /** Byte offset of the 8-byte store. */
  readonly offset: number;
}

/** After the store: every shadow of the table follows. */
export function trackWrite(vm: Vm, { gfn, offset }: TableStore): void {
  if (vm.pages.indirect === 0) return;
  vm.ledger.emulatedPteWrites += 1;
  const doomed: Doomed = [];
  let isStale = false;
  for (const page of vm.pages.of(gfn).slice()) {
    if (page.key.direct || page.invalid) continue;
    // A store across two entries is no page-table store.
    if ((offset & 7) !== 0 || isFlooded(vm, page)) {
      zapPage(vm, page, doomed);
      vm.ledger.shadowPagesFlooded += 1;
      continue;
    }
    const index = offset >>> 3;
    if (zapEntry(vm, page, index)) isStale = true;
    if (vm.policy.upperStore === "mirror") mirror(vm, page, index);
  }
  if (doomed.length > 0) freeDoomed(vm, doomed);
  else if (isStale) flushRemote(vm);
}

function isFlooded(vm: Vm, page: ShadowPage): boolean {
  if (page.key.level === 1) return false;
  page.floods += 1;
  return page.floods >= vm.policy.floodStores;
}

/** Links the table below at once, if it is shadowed already; making new shadows waits for a fault. */
function mirror(vm: Vm, page: ShadowPage, index: number): void {
  const { gfn, level, access, writeProtect, role } = page.key;
  const low = vm.guest.readLow(gfn, index);
  const high = vm.guest.readHigh(gfn, index);
  // Without A the guest is owed the bit, which only a walk sets.
  if (level === 1 || !isPresent(low) || !isAccessed(low) || isLarge(low)) return;
  const rights = access & accessOf(low, high);
  const below = role === 0 ? 0 : vm.memoryPolicy!.pages.below(role, index);
  const child = vm.pages
    .of(frameOf(low, high) as Gfn)
    .find(
      ({ key }) =>
        !key.direct &&
        key.level === level - 1 &&
        key.access === rights &&
        key.writeProtect === writeProtect &&
        key.role === below,
    );
  if (child === undefined) return;
  if (child.unsync) refresh(vm, child);
  if (child.unsyncChildren > 0) syncBelow(vm, child);
  vm.memory.writeEntry(page.table, index, child.table, userLink);
  child.parents.push(refOf(page, index));
  if (child.unsync || child.unsyncChildren > 0) markUnsyncChild(vm, refOf(page, index));
}
