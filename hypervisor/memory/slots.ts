/**
 * Memslots: which guest frames there are. What no slot covers is MMIO, and the VMM answers for it.
 *
 * Model: the memory behind a deleted slot stays with the VMM and is there again when the slot is, as when QEMU
 * toggles a region. An access outside is emulated in the exit that it takes, where KVM goes on to user space; only KVM's
 * engines know a later one for MMIO by a marked entry. Bias: both.
 *
 * Source: Linux virt/kvm/kvm_main.c `kvm_set_memslot`; KVM `handle_abnormal_pfn`, `kvm_mmu_zap_all_fast`.
 */
import type { Gfn } from "../../machine/address.ts";
import type { MmioAccess, VirtualCpu } from "../../machine/virtual-cpu.ts";
import { OutsideMemory } from "../../machine/outside-memory.ts";

export class MemorySlots {
  private readonly guestFrames: number;
  private readonly mmioBeyond: boolean;
  /** By frame: 1 where no slot is. Not there before the first slot is deleted. */
  private holes: Uint8Array | null = null;

  constructor(guestFrames: number, mmioBeyond: boolean) {
    this.guestFrames = guestFrames;
    this.mmioBeyond = mmioBeyond;
  }

  isHole(gfn: Gfn): boolean {
    if (gfn >= this.guestFrames) return this.mmioBeyond;
    return this.holes !== null && this.holes[gfn] === 1;
  }

  delete(start: Gfn, frames: number): void {
    this.holes ??= new Uint8Array(this.guestFrames);
    this.holes.fill(1, start, start + frames);
  }

  create(start: Gfn, frames: number): void {
    this.holes?.fill(0, start, start + frames);
  }

  /** Where a slot begins or ends within the range. */
  endsIn(start: Gfn, frames: number): Gfn[] {
    const { holes } = this;
    if (holes === null) return [];
    const inner = Array.from({ length: frames - 1 }, (_, i) => (start + i + 1) as Gfn);
    return inner.filter((gfn) => holes[gfn] !== holes[gfn - 1]);
  }

  /** Frames without a slot, in order. */
  list(): Gfn[] {
    return [...(this.holes ?? []).entries()].flatMap(([gfn, hole]) => (hole ? [gfn as Gfn] : []));
  }
}

interface MmioAnswer {
  readonly duringWalk: boolean;
  readonly guestFrames: number;
  /** Was it known for MMIO by its entry? Then no fault had to be looked into. */
  readonly isKnown?: boolean;
}

/** What a hypervisor does about an access outside every slot. A walk of the guest's own tables there is the guest's end. */
export function answerMmio(
  vcpu: VirtualCpu,
  access: MmioAccess,
  { duringWalk, guestFrames, isKnown = false }: MmioAnswer,
): "emulated" {
  if (duringWalk) throw new OutsideMemory(access.vpn, access.gfn, guestFrames);
  if (!isKnown) vcpu.ledger.faultsEmulated += 1;
  vcpu.emulateMmio(access);
  return "emulated";
}
