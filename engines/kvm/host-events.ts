/**
 * What the host does to a VM: dirty logging on, read, off; frames taken away.
 *
 * Logging protects every entry of a frame, in every space. Ending it lifts no protection, but small entries
 * of pages that could be large again are dropped.
 *
 * Source: KVM_GET_DIRTY_LOG, KVM mmu.rst; rules 10 to 12 and 17 of results/groundtruth.
 */
import { indexOf } from "./shadow-page.ts";
import { type Gfn, pagesPerEntry, type Pfn } from "../../machine/address.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import { type FrameRange, largeAround } from "../../hypervisor/dirty/frame-ranges.ts";
import { armMappings, dropLeaf, dropMappings } from "./entries.ts";
import { mostLevel } from "./fetch.ts";
import { type MmuNotifier, neighboursIn } from "../../hypervisor/memory/notifier.ts";
import { allowedRanges, mayWrite } from "../../hypervisor/policy/police-host.ts";
import { takeAccessed } from "../../hypervisor/tables/radix.ts";
import { flushRemote, type Vm } from "./vm.ts";
import { zapAll } from "./zap.ts";

const sizes = [1, 2, 3] as const;

/** Every frame of the range, once per page of the given level. */
function* pagesIn({ start, frames }: FrameRange, level: number): Generator<Gfn> {
  const step = pagesPerEntry(level);
  for (let gfn = start - (start % step); gfn < start + frames; gfn += step) yield gfn as Gfn;
}

function dirtyLogOn(vm: Vm, range: FrameRange): void {
  vm.dirtyLog.on(range);
  if (vm.dirtyLog.isInitiallySet) return;
  let isStale = false;
  for (const level of sizes) {
    for (const gfn of pagesIn(range, level)) {
      if (armMappings(vm, gfn, level)) isStale = true;
    }
  }
  if (isStale) flushRemote(vm);
}

function dirtyLogGet(vm: Vm): readonly Gfn[] {
  const { reported, armed } = vm.dirtyLog.get();
  vm.gauges.dirtyPagesReported += reported.length;
  arm(vm, armed);
  return reported;
}

function dirtyLogClear(vm: Vm, range: FrameRange): void {
  const { dirtyLog } = vm;
  const frames = dirtyLog.clear(range);
  let isStale = false;
  if (dirtyLog.isInitiallySet) {
    // Nothing protected large entries when logging started.
    for (const gfn of largePagesOf(frames)) {
      if (armMappings(vm, gfn, 2)) isStale = true;
    }
  }
  if (isStale) flushRemote(vm);
  arm(vm, frames);
}

/** The next write to each of the frames will be noticed. */
function arm(vm: Vm, frames: readonly Gfn[]): void {
  let isStale = false;
  for (const gfn of frames) if (armMappings(vm, gfn, 1)) isStale = true;
  if (isStale) flushRemote(vm);
}

/** The first frames of the 2 MiB pages around the frames, each once. */
function largePagesOf(frames: readonly Gfn[]): Set<Gfn> {
  return new Set(frames.map((gfn) => largeAround(gfn, 2).start));
}

function dirtyLogOff(vm: Vm, ended?: FrameRange): void {
  let isStale = false;
  for (const range of vm.dirtyLog.off(ended)) {
    for (const gfn of pagesIn(range, 1)) if (dropCollapsible(vm, gfn)) isStale = true;
  }
  if (isStale) flushRemote(vm);
}

/** Drops small entries that a large one could replace. */
function dropCollapsible(vm: Vm, gfn: Gfn): boolean {
  let isDropped = false;
  for (const ref of vm.maps[1].entries(gfn)) {
    const page = vm.pages.ofRef(ref);
    if (!page.key.direct || mostLevel(vm, page.key.gfn, 3) === 1) continue;
    dropLeaf(vm, page, indexOf(ref));
    isDropped = true;
  }
  return isDropped;
}

/** Drops what maps the range; a large entry goes as a whole. */
function unmap(vm: Vm, range: FrameRange): void {
  let isStale = false;
  for (const level of sizes) {
    for (const gfn of pagesIn(range, level)) {
      const entries = vm.maps[level].entries(gfn).length;
      if (entries === 0) continue;
      if (level > 1) {
        const large = { first: gfn, frames: pagesPerEntry(level) };
        vm.ledger.neighboursUnmapped += entries * neighboursIn(large, range);
      }
      dropMappings(vm, gfn, level);
      isStale = true;
    }
  }
  if (isStale) flushRemote(vm);
}

/** Every entry that maps the frame, of whatever size. */
function entriesOf(vm: Vm, gfn: Gfn): { readonly table: Pfn; readonly index: number }[] {
  const refs = sizes.flatMap((level) => vm.maps[level].entries(gfn));
  return refs.map((ref) => ({ table: vm.pages.ofRef(ref).table, index: indexOf(ref) }));
}

/** The engine's side of its host memory. */
export function notifierOf(vm: Vm): MmuNotifier {
  return {
    unmap: (start, frames) => unmap(vm, { start, frames }),
    age: (gfn) => takeAccessed(vm.memory, entriesOf(vm, gfn), vm.bits.accessed),
    flush: () => flushRemote(vm),
    slotDeleted: () => {
      zapAll(vm);
      flushRemote(vm);
    },
  };
}

function reclaim(vm: Vm, range: FrameRange): void {
  unmap(vm, range);
  for (const gfn of pagesIn(range, 1)) vm.guest.reclaim(gfn);
}

/** Answers an event; `vcpu-run` is the caller's. */
export function answerHost(
  vm: Vm,
  event: Exclude<HostEvent, { kind: "vcpu-run" }>,
): readonly Gfn[] {
  switch (event.kind) {
    case "dirty-log-on":
      dirtyLogOn(vm, event);
      return [];
    case "balance-tables":
      return [];
    case "dirty-log-get":
      return dirtyLogGet(vm);
    case "dirty-log-clear":
      dirtyLogClear(vm, event);
      return [];
    case "dirty-log-off":
      dirtyLogOff(vm, event.only);
      return [];
    case "reclaim":
      for (const part of allowedRanges(vm.memoryPolicy, event)) reclaim(vm, part);
      return [];
    case "evict":
    case "snapshot":
    case "snapshot-drop":
    case "merge":
    case "memory-limit":
    case "write":
    case "slot-delete":
    case "slot-create":
    case "slot-move":
      if (mayWrite(vm.memoryPolicy, event)) vm.guest.answer(event);
      return [];
  }
}
