/**
 * INVLPG and its relatives: one address, in one shadow tree.
 *
 * Only an out-of-sync page can be stale, so only there anything happens; it stays out of sync.
 *
 * Source: rule 3 of results/groundtruth (rule 4 of its second part for injected faults).
 */
import { indexAt, type Vpn } from "../../machine/address.ts";
import { isPresent } from "../../machine/formats/x86-entry.ts";
import { childOf, isLeaf, readLow } from "./entries.ts";
import { prefetchEntry } from "./leaf.ts";
import type { ShadowPage } from "./shadow-page.ts";
import { syncEntry } from "./sync.ts";
import { flushRemote, type Vm } from "./vm.ts";
import { zapEntry } from "./zap.ts";

/** Acts on the entry for `vpn` below `root`. */
export function invalidateIn(vm: Vm, root: ShadowPage, vpn: Vpn): void {
  for (let page = root; ;) {
    const { level } = page.key;
    const index = indexAt(vpn, level);
    if (page.unsync) invalidateEntry(vm, page, index);
    if (page.unsyncChildren === 0) return;
    const low = readLow(vm, page, index);
    if (!isPresent(low) || isLeaf(low, level)) return;
    page = childOf(vm, page, index);
  }
}

function invalidateEntry(vm: Vm, page: ShadowPage, index: number): void {
  if (vm.policy.invlpg === "sync") {
    if (syncEntry(vm, page, index)) flushRemote(vm);
    return;
  }
  if (zapEntry(vm, page, index)) flushRemote(vm);
  if (vm.policy.invlpg === "refill") prefetchEntry(vm, page, index);
}
