/**
 * Which address space is loaded, under which PCID, and how its translations are flushed.
 *
 * With PCID the kernel keeps the six spaces that ran last under tags of their own and writes CR3 with the
 * keep bit when it comes back to one. Under KPTI each has a second tag for user mode; a full flush then
 * cannot reach that tag from kernel mode, so it is noted and the next way out writes CR3 without the bit.
 * What is flushed on one of several processors is flushed on the others that run in the space.
 *
 * CR3 is written from scratch to load another space. Whoever stays in a space reads it first: the way in and the way out under
 * KPTI, which change bits of it, and a full flush, which writes back what it read. A read costs nothing on bare metal; where
 * silicon's CR3 is not the guest's, it exits.
 *
 * Source: Linux arch/x86/mm/tlb.c (choose_new_asid, invalidate_user_asid, native_flush_tlb_local) and
 * arch/x86/entry/calling.h (SWITCH_TO_KERNEL_CR3, SWITCH_TO_USER_CR3).
 */
import type { Gfn, Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import type { Vcpu } from "../machine/vcpu.ts";
import type { AddressSpace } from "./address-space.ts";
import type { KernelOptions } from "./options.ts";

/** Linux's TLB_NR_DYN_ASIDS. */
const asidCount = 6;
/** Bit 11 tells a user PCID from its kernel PCID. */
const userPcidBit = 0x800;
/** Linux's tlb_single_page_flush_ceiling: above it one full flush is cheaper than page by page. */
export const pageFlushesMax = 33;

/** The other processors' contexts; the kernel's business (`guest/processors.ts`). */
export interface Neighbours {
  /** Runs `drop` on every other processor that has the space loaded. */
  flush(asker: Contexts, space: AddressSpace, drop: (contexts: Contexts) => void): void;
}

export class Contexts {
  private readonly vcpu: Vcpu;
  private readonly kpti: boolean;
  private readonly pcid: boolean;
  /** The space behind each ASID; null: nobody's. Never another one's that has its root: frames are used again. */
  private readonly owners = Array.from({ length: asidCount }, (): AddressSpace | null => null);
  /** Each owner's generation when the processor heard of it last. */
  private readonly heard = new Int32Array(asidCount);
  private readonly userFlushPending = new Uint8Array(asidCount);
  private nextAsid = 0;
  private asid = 0;
  private space: AddressSpace | null = null;
  /** The copy of a root that is near to the processor. */
  private readonly nearest: (root: Gfn) => Gfn;
  /** Null: the kernel has one processor. */
  private readonly neighbours: Neighbours | null;

  constructor(
    vcpu: Vcpu,
    { kpti, pcid }: KernelOptions,
    { nearest, neighbours }: { nearest: (root: Gfn) => Gfn; neighbours: Neighbours | null },
  ) {
    this.vcpu = vcpu;
    this.kpti = kpti;
    this.pcid = pcid;
    this.nearest = nearest;
    this.neighbours = neighbours;
  }

  isLoaded(space: AddressSpace): boolean {
    return this.space === space;
  }

  /** Loads `space`; kernel mode. */
  load(space: AddressSpace): void {
    this.space = space;
    const keep = this.pcid && this.chooseAsid(space);
    if (!keep) this.userFlushPending[this.asid] = 1;
    this.writeCr3(space.root, 0, keep);
  }

  /** On the way in: from the user tables to the kernel's. */
  enterKernel(): void {
    if (!this.kpti) return;
    this.vcpu.readCr3();
    this.writeCr3(this.loaded().root, 0, this.pcid);
  }

  /** On the way out. */
  leaveKernel(): void {
    if (!this.kpti) return;
    this.vcpu.readCr3();
    const keep = this.pcid && this.userFlushPending[this.asid] === 0;
    this.userFlushPending[this.asid] = 0;
    const { userRoot } = this.loaded();
    assert(userRoot !== null, "contexts: KPTI without user tables");
    this.writeCr3(userRoot, userPcidBit, keep);
  }

  /** Drops one page's translations of the loaded space, and all walk-cache entries above it. */
  flushPage(vpn: Vpn): void {
    this.dropPage(vpn);
    this.tellOthers((contexts) => contexts.dropPage(vpn));
  }

  /** The same for every `stride`-th page; one interrupt to each other processor. */
  flushPages({ from, to, stride }: { from: number; to: number; stride: number }): void {
    const drop = (contexts: Contexts) => {
      for (let vpn = from; vpn < to; vpn += stride) contexts.dropPage(vpn as Vpn);
    };
    drop(this);
    this.tellOthers(drop);
  }

  /** Drops every translation of the loaded space. */
  flushAll(): void {
    this.dropAll();
    this.tellOthers((contexts) => contexts.dropAll());
  }

  /** The same as the loaded space dies: Linux leaves it for the kernel's own, a load from scratch. */
  forget(): void {
    this.loadAnew();
    this.tellOthers((contexts) => contexts.dropAll());
  }

  loaded(): AddressSpace {
    assert(this.space !== null, "contexts: no address space is loaded");
    return this.space;
  }

  private dropPage(vpn: Vpn): void {
    this.vcpu.invlpg(vpn);
    if (this.kpti && this.pcid) {
      this.vcpu.invpcid("address", (this.asid + 1) | userPcidBit, vpn);
    }
  }

  private dropAll(): void {
    this.vcpu.readCr3();
    this.loadAnew();
  }

  private loadAnew(): void {
    this.userFlushPending[this.asid] = 1;
    this.writeCr3(this.loaded().root, 0, false);
  }

  private tellOthers(drop: (contexts: Contexts) => void): void {
    const { neighbours } = this;
    if (neighbours === null) return;
    const space = this.loaded();
    space.generation += 1;
    this.heard[this.asid] = space.generation;
    neighbours.flush(this, space, (contexts) => {
      drop(contexts);
      contexts.heard[contexts.asid] = space.generation;
    });
  }

  private writeCr3(root: Gfn, userBit: number, keep: boolean): void {
    const near = this.nearest(root);
    if (this.pcid) this.vcpu.writeCr3(near, (this.asid + 1) | userBit, keep);
    else this.vcpu.writeCr3(near);
  }

  /** True when the ASID still holds this space's translations, and none that were flushed elsewhere. */
  private chooseAsid(space: AddressSpace): boolean {
    const found = this.owners.indexOf(space);
    if (found >= 0) {
      this.asid = found;
    } else {
      this.asid = this.nextAsid;
      this.nextAsid = (this.nextAsid + 1) % asidCount;
      this.owners[this.asid] = space;
    }
    const isCurrent = found >= 0 && this.heard[this.asid] === space.generation;
    this.heard[this.asid] = space.generation;
    return isCurrent;
  }
}
