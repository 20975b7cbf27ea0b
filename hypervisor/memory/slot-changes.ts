/**
 * Memslots that go, and that move: the same memory of the VMM at another guest-physical address.
 *
 * What lay behind the new range of a slot that moves lies behind the old one afterwards, without a slot.
 *
 * Model: the pages of a moved slot come as 4 KiB ones, and one that nobody touched before as a frame of zeros from
 * elsewhere. Bias: both.
 *
 * Source: KVM `kvm_set_memory_region`, `KVM_MR_DELETE`, `KVM_MR_MOVE`.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { HostEvent } from "../host-events.ts";
import type { Platform } from "../platform.ts";
import type { MmuNotifier } from "./notifier.ts";
import type { MemorySlots } from "./slots.ts";
import type { Swap } from "./swap.ts";
import type { HostTable } from "./table.ts";

export interface SlotParts {
  readonly table: HostTable;
  readonly swap: Swap;
  readonly slots: MemorySlots;
  /** Pages that lost their place: what comes back is another frame. */
  readonly reclaimed: Set<Gfn>;
  readonly notifier: () => MmuNotifier;
  readonly touch: (gfn: Gfn) => Pfn;
  readonly platform: Pick<Platform, "hostObserver" | "backing">;
}

type Behind = ReturnType<SlotChanges["take"]>;

export class SlotChanges {
  private readonly parts: SlotParts;

  constructor(parts: SlotParts) {
    this.parts = parts;
  }

  /** The engine drops all that it derived from the slot's memory; no large page lies across a slot's end. */
  delete(start: Gfn, frames: number, then: () => void = () => undefined): void {
    const { table, slots, notifier } = this.parts;
    notifier().unmap(start, frames);
    table.splitAt(start);
    table.splitAt((start + frames) as Gfn);
    slots.delete(start, frames);
    then();
    notifier().slotDeleted(start, frames);
  }

  move({ start, frames, to }: Extract<HostEvent, { readonly kind: "slot-move" }>): void {
    const pairs = Array.from({ length: frames }, (_, i) => [start + i, to + i] as [Gfn, Gfn]);
    for (const gfn of pairs.flat()) this.provide(gfn);
    this.delete(to, frames, () => {
      this.delete(start, frames, () => {
        for (const [one, other] of pairs) this.exchange(one, other);
      });
      this.parts.slots.create(to, frames);
    });
  }

  /** A host page of several comes as a whole, before a piece of it is another's. */
  private provide(gfn: Gfn): void {
    const { platform, reclaimed, swap, touch } = this.parts;
    if (platform.backing !== "4k" && !reclaimed.has(gfn) && !swap.has(gfn)) touch(gfn);
  }

  private exchange(one: Gfn, other: Gfn): void {
    const first = this.take(one);
    const second = this.take(other);
    this.put(one, second);
    this.put(other, first);
    this.parts.platform.hostObserver?.exchanged(one, other);
  }

  private take(gfn: Gfn) {
    const { table, swap } = this.parts;
    const swapped = swap.take(gfn);
    const pfn = table.pfnOf(gfn);
    const rights = table.rightsOf(gfn);
    if (pfn !== -1) {
      table.unmap(gfn);
      swap.went(gfn);
    }
    return { swapped, pfn, rights };
  }

  private put(gfn: Gfn, { swapped, pfn, rights }: Behind): void {
    const { table, swap, reclaimed } = this.parts;
    if (swapped !== undefined) swap.restore(gfn, swapped);
    if (pfn !== -1) {
      table.map(gfn, pfn, rights);
      swap.came(gfn, 1);
    }
    // Whatever place it had belongs to another page now.
    reclaimed.add(gfn);
  }
}
