/**
 * Guest memory on its way through a type-2 hypervisor: GPA, memslot, HVA, host page table, HPA.
 *
 * The host's own table is bytes in host memory like every other. A page's first touch takes a host fault,
 * which places it where `Machine.placement` says, 4 KiB or 2 MiB at a time. A frame that the host takes away
 * comes back elsewhere, at the next touch; one that it swaps out comes back with its contents, by a major fault.
 *
 * Source: KVM `gfn_to_pfn`, Documentation/virt/kvm/locking.rst on mmu notifiers; Linux mm/vmscan.c, mm/memory.c.
 */
import { type Gfn, indexAt, type Pfn, type Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import { A, D, frameOf, P, PS, U, W } from "../machine/entry.ts";
import type { GuestMemory } from "../machine/hypervisor.ts";
import type { Machine } from "../machine/machine.ts";
import type { FrameContents } from "../machine/memory.ts";
import { OutsideMemory } from "../machine/outside-memory.ts";
import { type EntryPlace, findPlace, makePlace, type RadixTree, splitLeaf } from "./radix.ts";

/** A page on the swap device, and the frame that it left. */
interface Swapped {
  readonly pfn: Pfn;
  readonly contents: FrameContents;
}

/** Host-virtual page at which the VMM maps the guest's one memslot: 0x7f0000000000. */
const slotHva = 0x7_f000_0000;

const hostFlags = P | W | U | A | D;

/** What the host tells an engine before it changes what lies behind guest frames (Linux: an mmu notifier). */
export interface MmuNotifier {
  /** Every mapping of these frames goes, and whatever a vCPU has cached of it. */
  unmap(start: Gfn, frames: number): void;
}

export interface HostMemory extends GuestMemory {
  /** The engine that maps this memory; once, before anything is mapped. */
  attach(notifier: MmuNotifier): void;
  /** The frame behind `gfn`, or -1 when it was never touched. */
  pfnOf(gfn: Gfn): Pfn | -1;
  /** Size of the host page behind `gfn`: 0 is 4 KiB or nothing yet, 9 is 2 MiB. Touch first. */
  orderOf(gfn: Gfn): 0 | 9;
  /** The host takes the frame away; its contents are lost. */
  reclaim(gfn: Gfn): void;
  /** The host swaps the frames out: unmapped everywhere, contents kept. */
  evict(start: Gfn, frames: number): void;
  /** Throws `OutsideMemory` when the guest has no such frame. `vpn` is the access, for the message. */
  check(gfn: Gfn, vpn: Vpn): void;
}

export function createHostMemory(machine: Machine): HostMemory {
  const { memory, guestFrames, placement } = machine;
  const isHuge = machine.options.backing === "2m";
  const tree: RadixTree = { memory, root: memory.allocateTable(), levels: 4 };
  const reclaimed = new Set<Gfn>();
  const swapped = new Map<Gfn, Swapped>();
  let notifier: MmuNotifier | null = null;
  const hvaOf = (gfn: Gfn): number => slotHva + gfn;
  const ledger = machine.vcpus[0]?.ledger;

  /** Tables of 2 MiB entries by gigabyte of guest memory: such a table, once there, stays. */
  const middles: Pfn[] = [];

  function middleOf(gfn: Gfn): Pfn | -1 {
    const gigabyte = Math.floor(gfn / 512 ** 2);
    const known = middles[gigabyte];
    if (known !== undefined) return known;
    if (findPlace(tree, hvaOf(gfn)).level > 2) return -1;
    const { table } = makePlace(tree, hvaOf(gfn), 2);
    middles[gigabyte] = table;
    return table;
  }

  /** Every read of a guest table asks this, so it starts two levels from the leaf (a quarter of a trapped store). */
  function pfnOf(gfn: Gfn): Pfn | -1 {
    const middle = middleOf(gfn);
    if (middle === -1) return -1;
    const above = indexAt(hvaOf(gfn), 2);
    const link = memory.readLow(middle, above);
    if ((link & P) === 0) return -1;
    const frame = frameOf(link, memory.readHigh(middle, above));
    if ((link & PS) !== 0) return (frame + (gfn % 512)) as Pfn;
    const index = indexAt(hvaOf(gfn), 1);
    const low = memory.readLow(frame as Pfn, index);
    return (low & P) === 0 ? -1 : (frameOf(low, memory.readHigh(frame as Pfn, index)) as Pfn);
  }

  /** Model: a page comes back to the frame that it left, so that placement stays a function of its number. */
  function swapIn(gfn: Gfn, { pfn, contents }: Swapped): Pfn {
    if (ledger !== undefined) ledger.hostMajorFaults += 1;
    swapped.delete(gfn);
    memory.fill(pfn, contents);
    const place = makePlace(tree, hvaOf(gfn), 1);
    memory.writeEntry(place.table, place.index, pfn, hostFlags);
    host.onReturn?.(gfn);
    return pfn;
  }

  function hostFault(gfn: Gfn): Pfn {
    const away = swapped.get(gfn);
    if (away !== undefined) return swapIn(gfn, away);
    if (ledger !== undefined) ledger.hostFaults += 1;
    if (isHuge && !reclaimed.has(gfn)) {
      const first = (gfn - (gfn % 512)) as Gfn;
      const place = makePlace(tree, hvaOf(first), 2);
      memory.writeEntry(place.table, place.index, placement(first), hostFlags | PS);
      return placement(gfn);
    }
    // A reclaimed page left its place; what comes back is another frame, of zeros.
    const pfn = reclaimed.has(gfn) ? memory.allocateSpare() : placement(gfn);
    const place = makePlace(tree, hvaOf(gfn), 1);
    memory.writeEntry(place.table, place.index, pfn, hostFlags);
    return pfn;
  }

  function touch(gfn: Gfn): Pfn {
    const pfn = pfnOf(gfn);
    return pfn === -1 ? hostFault(gfn) : pfn;
  }

  /** The frame behind `gfn` for the hypervisor's own reads; -1 when the page was never touched: it reads as zeros. */
  function readable(gfn: Gfn): Pfn | -1 {
    const pfn = pfnOf(gfn);
    return pfn === -1 && swapped.has(gfn) ? hostFault(gfn) : pfn;
  }

  /** The entry of `gfn` alone: a large host page is split, so that one of its pages can go. */
  function ownEntry(gfn: Gfn): EntryPlace {
    const place = findPlace(tree, hvaOf(gfn));
    if (place.level === 1) return place;
    splitLeaf(tree, place);
    return findPlace(tree, hvaOf(gfn));
  }

  function evict(gfn: Gfn): void {
    const pfn = pfnOf(gfn);
    if (pfn === -1) return;
    const { table, index } = ownEntry(gfn);
    memory.write(table, index, 0, 0);
    swapped.set(gfn, { pfn, contents: memory.vacate(pfn) });
    if (ledger !== undefined) ledger.hostSwapOuts += 1;
  }

  const host: HostMemory = {
    frames: guestFrames,
    onReturn: null,
    attach(engine) {
      assert(notifier === null, "host memory: two engines map it");
      notifier = engine;
    },
    touch,
    pfnOf,
    orderOf(gfn) {
      const { table, index } = findPlace(tree, hvaOf(gfn));
      return (memory.readLow(table, index) & PS) !== 0 ? 9 : 0;
    },
    reclaim(gfn) {
      if (swapped.delete(gfn)) reclaimed.add(gfn);
      if (pfnOf(gfn) === -1) return;
      const { table, index } = ownEntry(gfn);
      memory.write(table, index, 0, 0);
      reclaimed.add(gfn);
    },
    evict(start, frames) {
      assert(notifier !== null, "host memory: evicts before an engine is attached");
      notifier.unmap(start, frames);
      for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) evict(gfn);
    },
    check(gfn, vpn) {
      if (gfn < 0 || gfn >= guestFrames) throw new OutsideMemory(vpn, gfn, guestFrames);
    },
    readLow(gfn, index) {
      const pfn = readable(gfn);
      return pfn === -1 ? 0 : memory.readLow(pfn, index);
    },
    readHigh(gfn, index) {
      const pfn = readable(gfn);
      return pfn === -1 ? 0 : memory.readHigh(pfn, index);
    },
    write(gfn, index, low, high) {
      memory.write(touch(gfn), index, low, high);
    },
  };
  return host;
}

/** Frames of the 2 MiB page at `first` that do not lie in [start, start + frames). */
export function neighboursIn(first: number, start: number, frames: number): number {
  return 512 - (Math.min(start + frames, first + 512) - Math.max(start, first));
}
