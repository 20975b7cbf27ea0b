/**
 * Guest memory on its way through a type-2 hypervisor: GPA, memslot, HVA, host page table, HPA.
 *
 * The host's own table is bytes in host memory like every other. A page's first touch takes a host fault,
 * which places it where `Machine.placement` says, 4 KiB or 2 MiB at a time. A frame that the host takes away
 * comes back elsewhere, at the next touch.
 */
import type { Gfn, Pfn, Vpn } from "../machine/address.ts";
import { A, D, frameOf, P, PS, U, W } from "../machine/entry.ts";
import type { GuestMemory } from "../machine/hypervisor.ts";
import type { Machine } from "../machine/machine.ts";
import { OutsideMemory } from "../machine/outside-memory.ts";
import { findPlace, makePlace, type RadixTree, splitLeaf } from "./radix.ts";

/** Host-virtual page at which the VMM maps the guest's one memslot: 0x7f0000000000. */
const slotHva = 0x7_f000_0000;

const hostFlags = P | W | U | A | D;

export interface HostMemory extends GuestMemory {
  /** The frame behind `gfn`, or -1 when it was never touched. */
  pfnOf(gfn: Gfn): Pfn | -1;
  /** Size of the host page behind `gfn`: 0 is 4 KiB or nothing yet, 9 is 2 MiB. Touch first. */
  orderOf(gfn: Gfn): 0 | 9;
  /** The host takes the frame away; its contents are lost. */
  reclaim(gfn: Gfn): void;
  /** Throws `OutsideMemory` when the guest has no such frame. `vpn` is the access, for the message. */
  check(gfn: Gfn, vpn: Vpn): void;
}

export function createHostMemory(machine: Machine): HostMemory {
  const { memory, guestFrames, placement } = machine;
  const isHuge = machine.options.backing === "2m";
  const tree: RadixTree = { memory, root: memory.allocateTable(), levels: 4 };
  const reclaimed = new Set<Gfn>();
  const hvaOf = (gfn: Gfn): number => slotHva + gfn;
  const ledger = machine.vcpus[0]?.ledger;

  function pfnOf(gfn: Gfn): Pfn | -1 {
    const place = findPlace(tree, hvaOf(gfn));
    const low = memory.readLow(place.table, place.index);
    if ((low & P) === 0) return -1;
    const frame = frameOf(low, memory.readHigh(place.table, place.index));
    return (place.level === 1 ? frame : frame + (gfn % 512)) as Pfn;
  }

  function hostFault(gfn: Gfn): Pfn {
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

  return {
    frames: guestFrames,
    touch,
    pfnOf,
    orderOf(gfn) {
      const { table, index } = findPlace(tree, hvaOf(gfn));
      return (memory.readLow(table, index) & PS) !== 0 ? 9 : 0;
    },
    reclaim(gfn) {
      if (pfnOf(gfn) === -1) return;
      const found = findPlace(tree, hvaOf(gfn));
      if (found.level === 2) splitLeaf(tree, found);
      const place = findPlace(tree, hvaOf(gfn));
      memory.write(place.table, place.index, 0, 0);
      reclaimed.add(gfn);
    },
    check(gfn, vpn) {
      if (gfn < 0 || gfn >= guestFrames) throw new OutsideMemory(vpn, gfn, guestFrames);
    },
    readLow(gfn, index) {
      const pfn = pfnOf(gfn);
      return pfn === -1 ? 0 : memory.readLow(pfn, index);
    },
    readHigh(gfn, index) {
      const pfn = pfnOf(gfn);
      return pfn === -1 ? 0 : memory.readHigh(pfn, index);
    },
    write(gfn, index, low, high) {
      memory.write(touch(gfn), index, low, high);
    },
  };
}
