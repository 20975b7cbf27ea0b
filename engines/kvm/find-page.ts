/**
 * Getting the shadow page for a guest table: found by its key, or made, write-protecting the table.
 *
 * Source: KVM mmu.rst "Guest memory (gpa) is part of the user address space"; rules 7 and 8 of
 * results/groundtruth.
 */
import { protectTable } from "./entries.ts";
import type { ShadowKey, ShadowPage } from "./shadow-page.ts";
import { refresh } from "./sync.ts";
import { flushRemote, type Vm } from "./vm.ts";
import { type Doomed, freeDoomed, zapPage } from "./zap.ts";

function sameKey(a: ShadowKey, b: ShadowKey): boolean {
  return (
    a.level === b.level &&
    a.access === b.access &&
    a.direct === b.direct &&
    a.writeProtect === b.writeProtect &&
    a.role === b.role
  );
}

/** The page for `key`, an existing one if there is one. */
export function getPage(vm: Vm, key: ShadowKey): ShadowPage {
  const doomed: Doomed = [];
  let found: ShadowPage | null = null;
  for (const page of vm.pages.of(key.gfn).slice()) {
    if (page.invalid) continue;
    if (sameKey(page.key, key)) {
      found = page;
      break;
    }
    // An upper table is always protected, so nobody may go on writing the frame as a leaf table.
    if (key.level > 1 && page.unsync) zapPage(vm, page, doomed);
  }
  if (found === null) {
    freeDoomed(vm, doomed);
    return createPage(vm, key);
  }
  if (!key.direct) {
    // Stale, but good: refreshed without protection, which waits until the guest flushes.
    if (found.unsync && refresh(vm, found)) flushRemote(vm);
    found.floods = 0;
  }
  freeDoomed(vm, doomed);
  vm.ledger.shadowPagesFound += 1;
  return found;
}

function createPage(vm: Vm, key: ShadowKey): ShadowPage {
  vm.ledger.shadowPagesAllocated += 1;
  const page = vm.pages.create(key);
  if (!key.direct) {
    vm.track.add(page);
    if (protectTable(vm, key.gfn)) flushRemote(vm);
  }
  return page;
}
