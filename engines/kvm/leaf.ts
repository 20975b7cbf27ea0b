/**
 * Leaf entries: set by a fault, or filled on suspicion by a prefetch.
 *
 * Source: KVM mmu.rst "Reaction to events"; rules 4 and 11 of results/groundtruth.
 */
import {
  ACC_WRITE,
  frameOf,
  isLarge,
  isPresent,
  isWritable,
} from "../../machine/formats/x86-entry.ts";
import { childOf, dropLeaf, type LeafWish, makeLeaf, mapLeaf, readLow, refOf } from "./entries.ts";
import { readGuestLeaf } from "./guest-leaf.ts";
import { type ShadowPage } from "./shadow-page.ts";
import { flushRemote, type Vm } from "./vm.ts";
import { unlinkChild } from "./zap.ts";

/** What setting an entry came to. */
export interface LeafOutcome {
  /** The entry said that already. */
  readonly unchanged: boolean;
  /** W was withheld because the frame is a shadowed table: a store must be emulated. */
  readonly writeProtected: boolean;
}

/** Sets a leaf entry, whatever was there. */
export function setLeaf(vm: Vm, page: ShadowPage, index: number, wish: LeafWish): LeafOutcome {
  const { memory } = vm;
  const isCleared = clearOther(vm, page, index, wish);
  const old = readLow(vm, page, index);
  const wasMapped = isPresent(old);
  const entry = makeLeaf(vm, page, old, wish);
  const unchanged = entry.low === old && entry.high === memory.readHigh(page.table, index);
  if (!unchanged) {
    memory.write(page.table, index, entry.low, entry.high);
    vm.ledger.entriesFilled += 1;
  }
  // Rights that shrink must reach cached translations; rights that grow are found by a fault.
  if (isCleared || isWritable(old & ~entry.low)) flushRemote(vm);
  if (!wasMapped) mapLeaf(vm, page, index, wish);
  else if (!page.key.direct) page.accesses[index] = wish.access;
  return { unchanged, writeProtected: entry.writeProtected };
}

/** Makes way for a leaf: a child table or another frame at its place goes. */
function clearOther(vm: Vm, page: ShadowPage, index: number, { pfn }: LeafWish): boolean {
  const old = readLow(vm, page, index);
  if (!isPresent(old)) return false;
  if (page.key.level > 1 && !isLarge(old)) {
    unlinkChild(vm, childOf(vm, page, index), refOf(page, index));
    return true;
  }
  if (frameOf(old, vm.memory.readHigh(page.table, index)) === pfn) return false;
  dropLeaf(vm, page, index);
  return true;
}

/** Fills one entry from its guest entry; false if that cannot be mapped unasked, which ends a prefetch. */
export function prefetchEntry(vm: Vm, page: ShadowPage, index: number): boolean {
  const { gfn, access, usable } = readGuestLeaf(vm, page.key, index);
  if (!usable) {
    // KVM clears what is clear already (`prefetch_invalid_gpte`): nothing, unless it runs in a guest that is told of stores.
    vm.memory.write(page.table, index, 0, 0);
    return false;
  }
  // What the host has not backed yet waits for an access: a prefetch takes no host fault.
  const pfn = vm.guest.pfnOf(gfn);
  if (pfn === -1) return false;
  setLeaf(vm, page, index, { gfn, pfn, access, cause: "prefetch" });
  vm.ledger.entriesPrefetched += 1;
  return true;
}

/** The same for entries around a fault: a page that is logged is not made writable before it is written. */
export function prefetchNeighbour(vm: Vm, page: ShadowPage, index: number): boolean {
  const { gfn, access } = readGuestLeaf(vm, page.key, index);
  if ((access & ACC_WRITE) !== 0 && vm.dirtyLog.covers(gfn)) return false;
  return prefetchEntry(vm, page, index);
}
