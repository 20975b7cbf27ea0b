/**
 * A shadow fault whose guest walk succeeded: build the shadow path down to the leaf and set it.
 *
 * Upper pages are found or made, brought in sync, linked; a large guest page on small host pages continues
 * with direct pages; the leaf is set and its neighbours prefetched.
 *
 * Source: KVM mmu.rst "Reaction to events"; rules 1, 4, 7, 11 to 13 of results/groundtruth.
 */
import {
  entriesPerTable,
  type Gfn,
  indexAt,
  levelOfOrder,
  pagesPerEntry,
  type Pfn,
  type Vpn,
} from "../../machine/address.ts";
import {
  ACC_WRITE,
  frameOf,
  freshPage,
  isLarge,
  isPresent,
} from "../../machine/formats/x86-entry.ts";
import { childOf, dropLeaf, readLow, refOf } from "./entries.ts";
import { getPage } from "./find-page.ts";
import type { GuestWalk } from "../../hypervisor/guest-walk.ts";
import { type LeafOutcome, prefetchNeighbour, setLeaf } from "./leaf.ts";
import { type ShadowPage } from "./shadow-page.ts";
import { reachedFrame } from "../../hypervisor/policy/judge.ts";
import { policedAccess, policedLeaf, policedLevel, roleAt } from "./policed.ts";
import { syncBelow } from "./sync.ts";
import { markUnsyncChild } from "./unsync.ts";
import { flushRemote, type Vm } from "./vm.ts";
import { unlinkChild } from "./zap.ts";

export interface FetchRequest {
  readonly root: ShadowPage;
  readonly vpn: Vpn;
  readonly walk: GuestWalk;
}

/** A leaf that is not present and says why: the frame, which the entry names, is MMIO. No bit of silicon's. */
const knownMmio = 0x800;

/**
 * Tables down to the smallest page, for an access to MMIO; true if an entry there knew it already.
 * Model: KVM's entry for MMIO is present with a reserved bit, so that the error code tells; here it is not present, and
 * the walk that every fault makes tells. Bias: none, the exits are the same.
 */
export function fetchMmio(vm: Vm, request: FetchRequest): boolean {
  const { vpn, walk } = request;
  let page = request.root;
  while (page.key.level > walk.level) page = indirectChild(vm, page, request);
  while (page.key.level > 1) {
    page = directChild(vm, page, { vpn, gfn: walk.gfn, access: walk.access });
  }
  const index = indexAt(vpn, 1);
  const low = readLow(vm, page, index);
  const known = frameOf(low, vm.memory.readHigh(page.table, index)) === walk.gfn;
  if (!isPresent(low) && (low & knownMmio) !== 0 && known) return true;
  if (isPresent(low)) dropLeaf(vm, page, index);
  vm.memory.writeEntry(page.table, index, walk.gfn, knownMmio);
  return false;
}

/** Makes the access possible, as far as rights allow. */
export function fetch(vm: Vm, request: FetchRequest): LeafOutcome {
  const { vpn, walk } = request;
  let page = request.root;
  while (page.key.level > walk.level) page = indirectChild(vm, page, request);
  const gfn = reachedFrame(vm.memoryPolicy, vpn, walk.gfn);
  // The host decides how large its page is when it first provides it.
  const pfn = vm.guest.touch(gfn);
  const level = policedLevel(vm, vpn, gfn, mappingLevel(vm, walk.gfn, walk.level));
  page.floods = 0;
  while (page.key.level > level) {
    page = directChild(vm, page, { vpn, gfn: walk.gfn, access: walk.access });
    page.floods = 0;
  }
  const base = largeBase(gfn, level);
  const wish = {
    gfn: base,
    // Large host pages are contiguous.
    pfn: (pfn - (gfn - base)) as Pfn,
    access: policedAccess(vm, { vpn, gfn, access: walk.access }),
    cause: "fault",
  } as const;
  const index = indexAt(vpn, level);
  const outcome = setLeaf(vm, page, index, wish);
  if (!outcome.unchanged) prefetchAround(vm, page, index);
  return outcome;
}

function largeBase(gfn: Gfn, level: number): Gfn {
  return (gfn - (gfn % pagesPerEntry(level))) as Gfn;
}

/** How large the frame may be mapped, given the guest's own page size. */
export function mappingLevel(vm: Vm, gfn: Gfn, guestLevel: number): number {
  let level = mostLevel(vm, gfn, guestLevel);
  while (level > 1 && vm.dirtyLog.touches(gfn, level)) level -= 1;
  return level;
}

/** The same, logging aside. */
export function mostLevel(vm: Vm, gfn: Gfn, levelMax: number): number {
  let level = Math.min(levelMax, 3);
  while (level > 1 && !vm.track.allowsLarge(gfn, level)) level -= 1;
  return level === 1 ? 1 : Math.min(level, levelOfOrder(vm.guest.orderOf(gfn)));
}

/** The page one level down that shadows the guest's next table. */
function indirectChild(vm: Vm, page: ShadowPage, { vpn, walk }: FetchRequest): ShadowPage {
  const { level, writeProtect } = page.key;
  const index = indexAt(vpn, level);
  page.floods = 0;
  const existing = presentChild(vm, page, index);
  const gfn = walk.tables[level - 1]!;
  const access = walk.accessAbove[level - 1]!;
  // Nobody saw it if the host changed the guest's entry: another table, other rights, a large page before.
  const isStill = existing?.key.gfn === gfn && existing.key.access === access;
  if (existing !== null && isStill && !existing.key.direct) return existing;
  const role = roleAt(vm, vpn, level - 1);
  const child = getPage(vm, { gfn, level: level - 1, access, direct: false, writeProtect, role });
  // The guest owes no flush for an entry that becomes present, so what is linked must be in sync.
  if (child.unsyncChildren > 0) syncBelow(vm, child);
  link(vm, { page, index, child });
  return child;
}

interface DirectRequest {
  readonly vpn: Vpn;
  readonly gfn: Gfn;
  readonly access: number;
}

/** The page one level down that maps part of a large page, with the rights of that page. */
export function directChild(vm: Vm, page: ShadowPage, request: DirectRequest): ShadowPage {
  const { vpn, access } = request;
  const { level, writeProtect } = page.key;
  const index = indexAt(vpn, level);
  const gfn = largeBase(request.gfn, level);
  let existing = presentChild(vm, page, index);
  if (existing !== null && existing.key.access !== access) {
    // Rights changed (D was set, for one): another page is needed, the old one stays to be found again.
    unlinkChild(vm, existing, refOf(page, index));
    flushRemote(vm);
    existing = null;
  }
  if (existing !== null && existing.key.gfn === gfn && existing.key.direct) return existing;
  const role = roleAt(vm, vpn, level - 1);
  const child = getPage(vm, { gfn, level: level - 1, access, direct: true, writeProtect, role });
  link(vm, { page, index, child });
  return child;
}

function presentChild(vm: Vm, page: ShadowPage, index: number): ShadowPage | null {
  const low = readLow(vm, page, index);
  return isPresent(low) && !isLarge(low) ? childOf(vm, page, index) : null;
}

interface Link {
  readonly page: ShadowPage;
  readonly index: number;
  readonly child: ShadowPage;
}

function link(vm: Vm, { page, index, child }: Link): void {
  const ref = refOf(page, index);
  const low = readLow(vm, page, index);
  if (isPresent(low)) {
    if (isLarge(low)) dropLeaf(vm, page, index);
    else unlinkChild(vm, childOf(vm, page, index), ref);
    flushRemote(vm);
  }
  // Rights are checked at the leaf, so that one page of a table never speaks for the others.
  vm.memory.writeEntry(page.table, index, child.table, freshPage | vm.bits.accessed);
  child.parents.push(ref);
  if (child.unsync || child.unsyncChildren > 0) markUnsyncChild(vm, ref);
}

/** Fills entries near the one just set, in index order, until one cannot be filled. */
export function prefetchAround(vm: Vm, page: ShadowPage, index: number): void {
  if (page.key.level > 1) return;
  const { shape, entries } = vm.policy.prefetch;
  const first = shape === "group" ? index - (index % entries) : index + 1;
  const end = Math.min(entriesPerTable, first + entries);
  if (page.key.direct) {
    prefetchDirect(vm, page, { first, end, index });
    return;
  }
  for (let i = first; i < end; i++) {
    if (i === index) continue;
    if (isPresent(readLow(vm, page, i))) {
      // Behind a filled entry the next ones are filled as well, most likely.
      if (shape === "forward") return;
      continue;
    }
    if (!prefetchNeighbour(vm, page, i)) return;
  }
}

interface Range {
  readonly first: number;
  readonly end: number;
  readonly index: number;
}

/** A direct page needs no guest entry: its frames follow each other. */
function prefetchDirect(vm: Vm, page: ShadowPage, { first, end, index }: Range): void {
  for (let i = first; i < end; i++) {
    if (i === index || isPresent(readLow(vm, page, i))) continue;
    const leaf = policedLeaf(vm, page.key, i, {
      gfn: (page.key.gfn + i) as Gfn,
      access: page.key.access,
      usable: true,
    });
    const { gfn, access, usable } = leaf;
    if (gfn >= vm.guest.frames || !usable) return;
    const pfn = vm.guest.pfnOf(gfn);
    if (pfn === -1 || ((access & ACC_WRITE) !== 0 && vm.dirtyLog.covers(gfn))) return;
    setLeaf(vm, page, i, { gfn, pfn, access, cause: "prefetch" });
    vm.ledger.entriesPrefetched += 1;
  }
}
