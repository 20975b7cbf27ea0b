/**
 * One virtual CPU seen three ways: L0's guest, which is now L1 and now L2; L1 itself, executing; and L2 as L1 sees it.
 *
 * What L1 says of L2 (control fields, root) stands in a control block, which is plain memory on AMD: nothing exits until
 * VMRUN makes it true.
 *
 * Model: L1 and L2 have TLBs of their own. Bias: none on AMD, where KVM flushes at each transition between them
 * (`nested_svm_transition_tlb_flush`).
 */
import type { Gfn, Pfn, Vpn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import { bareMetalControls, type Controls } from "../../machine/controls.ts";
import { createLedger, type Ledger } from "../../machine/counters.ts";
import type { InvpcidType, PendingStore } from "../../machine/exits.ts";
import type { CachedTranslations } from "../../machine/mmu.ts";
import type { Cr3, Registers } from "../../machine/registers.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import type { MmioAccess, VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { ControlBlock } from "./control-block.ts";
import type { EnlightenedVmcs } from "./enlightened-vmcs.ts";
import { OneLevelOnly } from "./one-level-only.ts";
import type { InstructionExits } from "./world-switch.ts";

/** The vCPU as L0 sees it: L1's registers while L1 runs, what the control block says while L2 does. */
export class OuterCpu extends OneLevelOnly implements VirtualCpu {
  readonly id: number;
  readonly node = 0;
  readonly vmid: number;
  readonly ledger: Ledger;
  readonly mmu: CachedTranslations;
  controls: Controls = bareMetalControls;
  readonly otherLevels: Readonly<Ledger>[] = [];
  knownRoots: VirtualCpu["knownRoots"] = [];
  isInL2 = false;
  cr3: Cr3;
  registers: Registers;
  readonly l2: VirtualCpu;
  readonly l1: Vcpu;

  constructor(l2: VirtualCpu, l1: Vcpu) {
    super();
    this.id = l2.id;
    this.vmid = l2.vmid;
    this.ledger = l2.ledger;
    this.l2 = l2;
    this.l1 = l1;
    this.cr3 = l1.cr3;
    this.registers = l1.registers;
    this.mmu = bothTranslations(l2.mmu, l1.mmu);
  }

  setControls(controls: Controls): void {
    this.controls = controls;
    this.l1.setControls(controls);
  }

  setHardwareRoot(frame: Gfn | Pfn, pcid: number): void {
    (this.isInL2 ? this.l2 : this.l1).setHardwareRoot(frame, pcid);
  }

  emulateStore(exit: { readonly vpn: Vpn; readonly store: PendingStore | null }, gfn: Gfn): void {
    assert(!this.isInL2, () => `nested: a store of L2's at vpn ${exit.vpn} hit a table of L1's`);
    this.l1.emulateStore(exit, gfn);
  }

  emulateMmio(exit: MmioAccess): void {
    (this.isInL2 ? this.l2 : this.l1).emulateMmio(exit);
  }

  invalidatePcid(type: InvpcidType, pcid: number, vpn: Vpn): void {
    (this.isInL2 ? this.l2 : this.l1).invalidatePcid(type, pcid, vpn);
  }
}

function bothTranslations(one: CachedTranslations, other: CachedTranslations): CachedTranslations {
  return {
    invalidatePage(vpn) {
      one.invalidatePage(vpn);
      other.invalidatePage(vpn);
    },
    flushContext(pcid) {
      one.flushContext(pcid);
      other.flushContext(pcid);
    },
    flushLinear() {
      one.flushLinear();
      other.flushLinear();
    },
    flushNested() {
      one.flushNested();
      other.flushNested();
    },
    pmlIndex: () => one.pmlIndex(),
    resetPml: () => one.resetPml(),
  };
}

/** What L1 does to its guest's vCPU that is more than a store into the control block. */
export interface InnerActions {
  /** INVLPGA. */
  invalidatePage(vpn: Vpn): void;
  /** One tag's; where there are none, all. */
  flushContext(pcid: number): void;
  /** Before its guest runs on, what is cached of its linear addresses, or of all that nested tables had a part in, goes. */
  flush(kind: "linear" | "nested"): void;
  /** L1 has stored into the control block. */
  asked(block: ControlBlock): void;
}

function emptyBlock(): ControlBlock {
  return { controls: bareMetalControls, root: 0 as Gfn, pcid: 0, isRootNew: false };
}

function noPml(): never {
  assert(false, "nested: L1 has no log of modified pages");
}

/** L2's vCPU as L1's hypervisor sees it. */
export class InnerCpu extends OneLevelOnly implements VirtualCpu {
  readonly id: number;
  readonly node = 0;
  readonly vmid: number;
  /** What L1 counts. */
  readonly ledger: Ledger = createLedger();
  readonly otherLevels: Readonly<Ledger>[] = [];
  readonly mmu: CachedTranslations;
  /** What L0 goes by, and what L1 has asked for: the same where L0 reads it in place. */
  readonly block: ControlBlock;
  private readonly wanted: ControlBlock;
  private readonly l2: VirtualCpu;
  private readonly actions: InnerActions;

  constructor(l2: VirtualCpu, block: "in place" | "copied", actions: InnerActions) {
    super();
    this.block = emptyBlock();
    this.wanted = block === "copied" ? emptyBlock() : this.block;
    this.actions = actions;
    this.id = l2.id;
    this.vmid = l2.vmid;
    this.l2 = l2;
    l2.otherLevels.push(this.ledger);
    this.mmu = {
      invalidatePage: (vpn) => actions.invalidatePage(vpn),
      flushContext: (pcid) => actions.flushContext(pcid),
      flushLinear: () => actions.flush("linear"),
      flushNested: () => actions.flush("nested"),
      pmlIndex: noPml,
      resetPml: noPml,
    };
  }

  get controls(): Controls {
    return this.block.controls;
  }

  get cr3(): Cr3 {
    return this.l2.cr3;
  }

  get registers(): Registers {
    return this.l2.registers;
  }

  get knownRoots(): VirtualCpu["knownRoots"] {
    return this.l2.knownRoots;
  }

  /** Of L1's frames, which silicon walks for L2 below an L0 with nested paging. */
  set knownRoots(roots: VirtualCpu["knownRoots"]) {
    this.l2.knownRoots = roots;
  }

  setControls(controls: Controls): void {
    this.wanted.controls = controls;
    this.actions.asked(this.wanted);
  }

  setHardwareRoot(frame: Gfn | Pfn, pcid: number): void {
    this.wanted.root = frame;
    this.wanted.pcid = pcid;
    this.wanted.isRootNew = true;
    this.actions.asked(this.wanted);
  }

  emulateStore(exit: { readonly vpn: Vpn; readonly store: PendingStore | null }, gfn: Gfn): void {
    this.l2.emulateStore(exit, gfn);
  }

  emulateMmio(exit: MmioAccess): void {
    this.l2.emulateMmio(exit);
  }

  /** Of one tag's or one page's: more is dropped, which is allowed. */
  invalidatePcid(): void {
    this.mmu.flushLinear();
  }
}

/** One vCPU at all levels. */
export interface NestedCpu {
  /** L2, executing on silicon. */
  readonly l2: VirtualCpu;
  /** L1, executing on silicon. */
  readonly l1: Vcpu;
  /** L0's guest. */
  readonly outer: OuterCpu;
  /** L1's guest. */
  readonly inner: InnerCpu;
  /** Exits of L1's by instruction. */
  readonly instructions: InstructionExits;
  /** L1 has asked for a flush here: before L2 runs on, it enters again. */
  isStale: boolean;
  /** Of what nested tables had a part in, where that takes an instruction. */
  owesNestedFlush: boolean;
  /** The page that is the control block; null where L0 sees it without one. */
  vmcs: EnlightenedVmcs | null;
}
