/**
 * Out-of-sync leaf tables: how a page leaves sync, how that is noted above it, and how it is found again.
 *
 * Each upper page notes in a bitmap which of its entries lead to an out-of-sync page. The note may lag behind:
 * it is corrected when somebody looks. Searches work in batches of 16 nodes, since protecting one batch may
 * change what the next search sees.
 *
 * Source: KVM mmu.rst "Synchronized and unsynchronized pages".
 */
import type { Gfn } from "../../machine/address.ts";
import { frameOf, isLarge, isPresent } from "../../machine/formats/x86-entry.ts";
import { type EntryRef, indexOf, type ShadowPage } from "./shadow-page.ts";
import type { Vm } from "./vm.ts";

/** Pages that one search returns at most, those passed on the way included. */
const batchNodes = 16;

/**
 * May a new entry map `gfn` writable? Leaf tables there go out of sync, which a sync must not cause and a
 * prefetch had better not; upper tables stay protected always.
 */
export function mayBecomeWritable(vm: Vm, gfn: Gfn, cause: "fault" | "prefetch" | "sync"): boolean {
  if (vm.track.isTracked(gfn)) return false;
  if (vm.policy.unsyncOnlySingle && vm.pages.of(gfn).filter(({ key }) => !key.direct).length > 1) {
    return false;
  }
  for (const page of vm.pages.of(gfn)) {
    if (page.key.direct) continue;
    if (cause === "sync") return false;
    if (page.unsync) continue;
    if (cause === "prefetch") return false;
    leaveSync(vm, page);
  }
  return true;
}

function leaveSync(vm: Vm, page: ShadowPage): void {
  vm.ledger.shadowPagesUnsynced += 1;
  vm.gauges.shadowPagesUnsyncNow += 1;
  page.unsync = true;
  markParents(vm, page);
  if (vm.policy.unsyncPagesMaxPerVcpu !== Infinity) vm.current?.unsyncPages.push(page);
}

/** The page is in sync again, or about to go. */
export function enterSync(vm: Vm, page: ShadowPage): void {
  vm.ledger.shadowPagesSynced += 1;
  vm.gauges.shadowPagesUnsyncNow -= 1;
  page.unsync = false;
  if (vm.policy.unsyncPagesMaxPerVcpu === Infinity) return;
  for (const { unsyncPages } of vm.states) {
    const at = unsyncPages.indexOf(page);
    if (at >= 0) unsyncPages.splice(at, 1);
  }
}

function markParents(vm: Vm, page: ShadowPage): void {
  for (const ref of page.parents) markUnsyncChild(vm, ref);
}

/** Notes that this entry leads to an out-of-sync page, up to the roots. */
export function markUnsyncChild(vm: Vm, ref: EntryRef): void {
  const page = vm.pages.ofRef(ref);
  const index = indexOf(ref);
  const bit = 1 << (index & 31);
  if (page.unsyncBits[index >> 5]! & bit) return;
  page.unsyncBits[index >> 5]! |= bit;
  page.unsyncChildren += 1;
  if (page.unsyncChildren === 1) markParents(vm, page);
}

function clearUnsyncChild(page: ShadowPage, index: number): void {
  page.unsyncBits[index >> 5]! &= ~(1 << (index & 31));
  page.unsyncChildren -= 1;
}

/** A step of the way from the page searched down to an out-of-sync one. */
interface Step {
  readonly page: ShadowPage;
  readonly index: number;
}

/** An out-of-sync page and the entries that led to it, topmost first. */
export interface Found {
  readonly page: ShadowPage;
  readonly way: readonly Step[];
}

interface Search {
  readonly vm: Vm;
  readonly found: Found[];
  readonly seen: Set<ShadowPage>;
  nodes: number;
}

/** One batch of out-of-sync pages below `top`; null when there are none left. */
export function findUnsync(vm: Vm, top: ShadowPage): readonly Found[] | null {
  if (top.unsyncChildren === 0) return null;
  const search: Search = { vm, found: [], seen: new Set(), nodes: 1 };
  return searchBelow(search, top, []) === "nothing" ? null : search.found;
}

/** `full`: the batch is full, and notes above stay as they are. */
function searchBelow(
  search: Search,
  page: ShadowPage,
  way: readonly Step[],
): "nothing" | "some" | "full" {
  const { vm } = search;
  let outcome: "nothing" | "some" = "nothing";
  for (let word = 0; word < page.unsyncBits.length; word++) {
    // A search clears bits as it goes, only ever the bit it stands on.
    for (let bits = page.unsyncBits[word]!; bits !== 0; bits &= bits - 1) {
      const index = word * 32 + 31 - Math.clz32(bits & -bits);
      const low = vm.memory.readLow(page.table, index);
      if (!isPresent(low) || isLarge(low)) {
        clearUnsyncChild(page, index);
        continue;
      }
      const child = vm.pages.ofTable(frameOf(low, vm.memory.readHigh(page.table, index)));
      const step = [...way, { page, index }];
      if (child.unsyncChildren > 0) {
        if (noteNode(search)) return "full";
        const below = searchBelow(search, child, step);
        if (below === "full") return "full";
        if (below === "nothing") clearUnsyncChild(page, index);
        else outcome = "some";
      } else if (child.unsync) {
        outcome = "some";
        if (noteLeaf(search, { page: child, way: step })) return "full";
      } else {
        clearUnsyncChild(page, index);
      }
    }
  }
  return outcome;
}

function noteNode(search: Search): boolean {
  search.nodes += 1;
  return search.nodes === batchNodes;
}

/** A page with two ways to it is listed once. */
function noteLeaf(search: Search, found: Found): boolean {
  if (search.seen.has(found.page)) return false;
  search.seen.add(found.page);
  search.found.push(found);
  return noteNode(search);
}

/** The page found is settled: entries on the way there lead to nothing out of sync, as far as is known. */
export function settle({ way }: Found): void {
  for (const { page, index } of [...way].reverse()) {
    const bit = 1 << (index & 31);
    // Two batches may have settled the same way; a note is taken back once.
    if ((page.unsyncBits[index >> 5]! & bit) === 0) return;
    clearUnsyncChild(page, index);
    if (page.unsyncChildren > 0) return;
  }
}
