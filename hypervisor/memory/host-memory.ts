/**
 * Guest memory on its way through a type-2 hypervisor: GPA, memslot, HVA, host page table, HPA.
 *
 * A page's first touch takes a host fault, which places it where `Machine.placement` says, 4 KiB, 2 MiB or 1 GiB at
 * a time. A frame that the host takes away comes back elsewhere, at the next touch; one that it swaps out comes
 * back with its contents, by a major fault. Pages may share a frame: with a snapshot, a clone, each other. Then
 * the host's table maps them read-only, engines map them so too, and `touchForWrite` breaks the share.
 *
 * Source: KVM `__gfn_to_pfn_memslot` (write faults get the page for writing, read faults map what the host's
 * entry allows), `kvm_mmu_notifier_invalidate_range_start`; Linux mm/memory.c.
 */
import {
  type Gfn,
  orderOfSize,
  type PageOrder,
  type Pfn,
  type Vpn,
} from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import type { HostEvent } from "../host-events.ts";
import type { GuestMemory, Hypervisor } from "../hypervisor.ts";
import type { Platform } from "../platform.ts";
import { OutsideMemory } from "../../machine/outside-memory.ts";
import { createMerger, type Mergeable } from "./merger.ts";
import { type MergeablePages, mergeablePages } from "./mergeable.ts";
import type { MmuNotifier } from "./notifier.ts";
import { Pins } from "./pins.ts";
import { isUnshared, type SharedPages } from "./shared.ts";
import { MemorySlots } from "./slots.ts";
import { SlotChanges } from "./slot-changes.ts";
import { Snapshots } from "./snapshots.ts";
import { Swap } from "./swap.ts";
import { HostTable } from "./table.ts";

/** What the host does to the pages themselves, whatever engine maps them. */
const memoryEvents = [
  "evict",
  "snapshot",
  "snapshot-drop",
  "merge",
  "memory-limit",
  "write",
  "slot-delete",
  "slot-create",
  "slot-move",
] as const;

export type MemoryEvent = Extract<HostEvent, { readonly kind: (typeof memoryEvents)[number] }>;

export function isMemoryEvent(event: HostEvent): event is MemoryEvent {
  return (memoryEvents as readonly string[]).includes(event.kind);
}

export interface HostMemory extends GuestMemory, Mergeable, MergeablePages {
  /** The engine that maps this memory; once, before anything is mapped. */
  attach(notifier: MmuNotifier): void;
  /** The frame behind `gfn`, or -1 when it was never touched, is swapped out, or is to be used through `touch` alone. */
  pfnOf(gfn: Gfn): Pfn | -1;
  /** Size of the host page behind `gfn`; 0 where there is none yet. Touch first. */
  orderOf(gfn: Gfn): PageOrder;
  /** May `gfn`, once touched, be mapped writable? Not while it shares its frame. */
  isWritable(gfn: Gfn): boolean;
  /** Is there no memslot for `gfn`? Then an access to it is for the VMM, and a read of a table there finds zeros. */
  isHole(gfn: Gfn): boolean;
  /** All bytes of the host's memory, as `PhysicalMemory` has them. */
  readonly words: Int32Array;
  /**
   * Where in `words` the frame begins, for the hypervisor's own reads; 0, where zeros are, for one never written. True
   * until something is written or moved: one look-up for all that is read of a table now.
   */
  wordsOf(gfn: Gfn): number;
  /** The host takes the frame away; its contents are lost. */
  reclaim(gfn: Gfn): void;
  /** Pages that devices may reach. */
  readonly pins: Pick<Pins, "has" | "size">;
  /** The page gets a frame of its own, writable, and stays there until it is unpinned as often. */
  pin(gfn: Gfn): Pfn;
  unpin(gfn: Gfn): void;
  /** Throws `OutsideMemory` when the guest has no such frame. `vpn` is the access, for the message. */
  check(gfn: Gfn, vpn: Vpn): void;
  /** Called at every VM exit before it is answered: what memory pressure asks for is done. */
  balance(): void;
  answer(event: MemoryEvent): void;

  /** A hold on all pages, for a clone's `adopt`. */
  share(): SharedPages;
  /** Starts with the pages of another guest. Only while nothing is backed. */
  adopt(pages: SharedPages): void;
}

/** The memory behind an engine's guest; null on bare metal, where nothing is behind it. */
export function hostMemoryOf({ memory }: Hypervisor): HostMemory | null {
  return "adopt" in memory ? (memory as HostMemory) : null;
}

export function createHostMemory(platform: Platform): HostMemory {
  const { memory, guestFrames, placement } = platform;
  const { ledger } = platform.vcpus[0]!;
  const order = orderOfSize(platform.backing);
  const table = new HostTable(memory);
  const reclaimed = new Set<Gfn>();
  const slots = new MemorySlots(guestFrames, platform.mmioBeyond);
  const pins = new Pins();
  const merger = createMerger(memory);
  let engine: MmuNotifier | null = null;
  const notifier = (): MmuNotifier => {
    assert(engine !== null, "host memory: changes before an engine is attached");
    return engine;
  };
  const swap = new Swap({
    memory,
    table,
    frames: guestFrames,
    pins,
    ledger,
    notifier,
    onLeave: (gfn) => platform.hostObserver?.swappedOut(gfn),
    onReturn(gfn, pfn) {
      platform.hostObserver?.moved(gfn, pfn);
      host.onReturn?.(gfn);
    },
  });

  const snapshots = new Snapshots({ memory, table, pins, swap, ledger, notifier, platform });
  const changes = new SlotChanges({ table, swap, slots, reclaimed, notifier, touch, platform });

  function hostFault(gfn: Gfn): Pfn {
    if (swap.has(gfn)) return swap.in(gfn);
    ledger.hostFaults += 1;
    if (order !== 0 && !reclaimed.has(gfn)) {
      const pages = 2 ** order;
      const base = (gfn - (gfn % pages)) as Gfn;
      table.mapLarge(base, placement(base), { order, rights: "read-write" });
      for (const end of slots.endsIn(base, pages)) table.splitAt(end);
      came(base, placement(base), pages);
      return placement(gfn);
    }
    // A reclaimed page left its place; what comes back is another frame, of zeros.
    const pfn = reclaimed.has(gfn) ? memory.allocateSpare() : placement(gfn);
    table.map(gfn, pfn, "read-write");
    came(gfn, pfn, 1);
    return pfn;
  }

  /** Pages have frames from now on, and may be written, shared or merged before the guest uses them. */
  function came(first: Gfn, frame: Pfn, pages: number): void {
    swap.came(first, pages);
    for (let i = 0; i < pages; i++) {
      platform.hostObserver?.moved((first + i) as Gfn, (frame + i) as Pfn);
    }
  }

  function touch(gfn: Gfn): Pfn {
    const pfn = table.pfnOf(gfn);
    if (pfn === -1) return hostFault(gfn);
    if (!table.isClosed(gfn)) return pfn;
    // Whether anybody shares it or not: what differs would tell.
    ledger.sharesBroken += 1;
    return copyAway(gfn, pfn);
  }

  /** The frame behind `gfn` for the hypervisor's own reads; -1 when the page was never touched: it reads as zeros. */
  function readable(gfn: Gfn): Pfn | -1 {
    if (slots.isHole(gfn)) return -1;
    const pfn = table.pfnOf(gfn);
    return pfn === -1 && swap.has(gfn) ? hostFault(gfn) : pfn;
  }

  function touchForWrite(gfn: Gfn): Pfn {
    const pfn = touch(gfn);
    if (table.isWritable(gfn)) return pfn;
    if (isUnshared({ memory, table }, gfn, pfn)) {
      // The others are gone: no copy, and what is mapped stays right.
      table.setRights(gfn, "read-write");
      ledger.sharesReused += 1;
      return pfn;
    }
    notifier().unmap(gfn, 1);
    table.split(gfn);
    if (!memory.isShared(pfn)) {
      table.setRights(gfn, "read-write");
      return pfn;
    }
    ledger.sharesBroken += 1;
    return copyAway(gfn, pfn);
  }

  function copyAway(gfn: Gfn, from: Pfn): Pfn {
    const to = memory.allocateSpare();
    memory.copy(to, from);
    memory.release(from);
    table.map(gfn, to, "read-write");
    platform.hostObserver?.moved(gfn, to);
    return to;
  }

  const host: HostMemory = {
    ...mergeablePages({ memory, table, frames: guestFrames, pins, notifier, platform }),
    frames: guestFrames,
    words: memory.words,
    wordsOf(gfn) {
      const pfn = readable(gfn);
      return pfn === -1 ? 0 : memory.wordsOf(pfn);
    },
    onReturn: null,
    counted: ledger,
    attach(notified) {
      assert(engine === null, "host memory: two engines map it");
      engine = notified;
    },
    touch,
    touchForWrite,
    pfnOf: (gfn) => (slots.isHole(gfn) || table.isClosed(gfn) ? -1 : table.pfnOf(gfn)),
    isHole: (gfn) => slots.isHole(gfn),
    orderOf: (gfn) => table.orderOf(gfn),
    isWritable: (gfn) => table.isWritable(gfn),
    balance: () => swap.balance(),
    pins,
    pin(gfn) {
      pins.add(gfn);
      swap.pinned(gfn);
      return touchForWrite(gfn);
    },
    unpin(gfn) {
      pins.remove(gfn);
      if (!pins.has(gfn)) swap.unpinned(gfn);
    },
    reclaim(gfn) {
      if (pins.has(gfn)) return;
      if (swap.drop(gfn)) reclaimed.add(gfn);
      const pfn = table.pfnOf(gfn);
      if (pfn === -1) return;
      table.unmap(gfn);
      memory.release(pfn);
      swap.went(gfn);
      reclaimed.add(gfn);
    },
    answer(event) {
      if (event.kind === "evict") swap.out(event.start, event.frames);
      else if (event.kind === "snapshot") snapshots.take(event.start, event.frames);
      else if (event.kind === "snapshot-drop") snapshots.drop();
      else if (event.kind === "merge") merger.pass([this]);
      // Through the host's own mapping: the notifier hears of a share that breaks, nobody of the store itself.
      else if (event.kind === "slot-delete") changes.delete(event.start, event.frames);
      else if (event.kind === "slot-create") slots.create(event.start, event.frames);
      else if (event.kind === "slot-move") changes.move(event);
      else if (event.kind === "write") this.write(event.gfn, event.index, event.low, event.high);
      else if (event.kind === "memory-limit") swap.setLimit(event.frames);
      else event satisfies never;
    },
    share() {
      const pages = snapshots.hold(0 as Gfn, guestFrames);
      const lost = [...reclaimed];
      return { pages, swapped: [...swap.entries()], lost, holes: slots.list() };
    },
    adopt({ pages, swapped, lost, holes }) {
      for (const gfn of holes) slots.delete(gfn, 1);
      for (const gfn of lost) reclaimed.add(gfn);
      for (const { gfn, pfn, pages: count } of pages) {
        if (count === 1) table.map(gfn, pfn, "read");
        else table.mapLarge(gfn, pfn, { order: count === 512 ? 9 : 18, rights: "read" });
        came(gfn, pfn, count);
      }
      for (const [gfn, contents] of swapped) swap.put(gfn, contents);
    },
    check(gfn, vpn) {
      if (gfn < 0 || (gfn >= guestFrames && !slots.isHole(gfn)))
        throw new OutsideMemory(vpn, gfn, guestFrames);
    },
    readLow(gfn, index) {
      return memory.words[host.wordsOf(gfn) | (index << 1)]!;
    },
    readHigh(gfn, index) {
      return memory.words[host.wordsOf(gfn) | (index << 1) | 1]!;
    },
    write(gfn, index, low, high) {
      memory.write(touchForWrite(gfn), index, low, high);
    },
  };
  return host;
}
