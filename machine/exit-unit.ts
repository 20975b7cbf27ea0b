/**
 * What becomes of a vCPU's accesses that translation stops: exits to the hypervisor, faults to the guest.
 *
 * Source: SDM vol. 3C 26 "VMX Non-Root Operation".
 */
import { AccessUnit, type Requester } from "./access-unit.ts";
import type { Gfn, Vpn } from "./address.ts";
import { assert } from "./assert.ts";
import { createLedger, type Ledger } from "./counters.ts";
import { PF_PRESENT } from "./page-fault.ts";
import { bareMetalControls, type Controls } from "./controls.ts";
import {
  countException,
  exitCounter,
  isException,
  type PendingStore,
  type Resolution,
  type VmExit,
} from "./exits.ts";
import type { ExitHandler, MmioAccess } from "./virtual-cpu.ts";
import type { PhysicalMemory } from "./memory.ts";
import {
  type Mmu,
  SHADOW_STACK,
  STOP_EPT_VIOLATION,
  STOP_PAGE_FAULT,
  STOP_PML_FULL,
  STOP_SUB_PAGE_MALFORMED,
  STOP_SUB_PAGE_MISS,
} from "./mmu.ts";
import type { GuestSoftware, PageFault } from "./observer.ts";
import { OutsideMemory } from "./outside-memory.ts";
import { controlsIn, viewAt } from "./views.ts";

/** The vCPU that owns this unit, as its hypervisor is told in an exit. */
export type AnswerExit = (exit: VmExit) => Resolution;

export class ExitUnit implements Requester {
  readonly id: number;
  readonly accesses: AccessUnit;
  readonly ledger: Ledger = createLedger();
  software: GuestSoftware = { pageFault: unhandled };
  hypervisor: ExitHandler | null = null;
  controls: Controls = bareMetalControls;
  private readonly mmu: Mmu;
  private readonly memory: PhysicalMemory;
  private readonly answer: AnswerExit;
  /** High column of the access that stopped last: its kind, for the observer. */
  private stoppedHigh = 0;
  private stoppedOffset = 0;

  constructor(id: number, mmu: Mmu, memory: PhysicalMemory, answer: AnswerExit) {
    this.id = id;
    this.mmu = mmu;
    this.memory = memory;
    this.answer = answer;
    this.accesses = new AccessUnit(mmu, memory, this);
  }

  emulateStore(exit: { readonly vpn: Vpn; readonly store: PendingStore | null }, gfn: Gfn): void {
    const { store } = exit;
    assert(
      store !== null && this.hypervisor !== null,
      () => `vcpu: nothing to emulate at vpn ${exit.vpn}`,
    );
    this.ledger.emulatedStores += 1;
    this.ledger.accesses += 1;
    this.ledger.stores += 1;
    const pfn = this.hypervisor.memory.touchForWrite(gfn);
    const { observer } = this.accesses;
    const [high, offset] = [this.stoppedHigh, this.stoppedOffset];
    observer?.emulated(this.id, { vpn: exit.vpn, high, offset, gfn, pfn });
    this.accesses.completeStore(pfn);
  }

  /** No access to memory, so none that is counted: its exit is. */
  emulateMmio({ vpn, gfn }: MmioAccess): void {
    this.accesses.observer?.mmio(this.id, { vpn, gfn }, this.stoppedHigh);
  }

  /** Leaves the guest, lets the hypervisor answer, enters again. */
  vmExit(exit: VmExit): Resolution {
    const { mmu, controls } = this;
    if (controls.deprivileged && isException[exit.reason]) countException(this.ledger, exit);
    else this.countExit(exit);
    const resolution = this.answer(exit);
    // Without VPID the exit and the entry each flush; the host runs no guest code between, so one is enough.
    if (!controls.vpid) mmu.flushLinear();
    return resolution;
  }

  /** The guest takes another view of its memory, or exits. Returns whether it did. */
  vmfunc(index: number): boolean {
    const root = viewAt(this.controls, this.memory, index);
    if (root === null) {
      if (this.controls.virtualized) this.vmExit({ reason: "other", cause: "vmfunc" });
      return false;
    }
    this.ledger.viewSwitches += 1;
    this.controls = controlsIn(this.controls, root);
    this.mmu.switchView(root);
    return true;
  }

  private countExit(exit: VmExit): void {
    const { ledger } = this;
    ledger.exits += 1;
    // By name where exits come in storms: `ledger[name]`, once the names vary, costs a trapped PTE store 10 % more.
    if (exit.reason === "page-fault") ledger.exitsPageFault += 1;
    else if (exit.reason === "ept-violation") ledger.exitsEptViolation += 1;
    else ledger[exitCounter[exit.reason]] += 1;
  }

  stopped(vpn: Vpn, offset: number, high: number, store: PendingStore | null): "again" | "done" {
    const { mmu } = this;
    this.stoppedHigh = high;
    this.stoppedOffset = offset;
    switch (mmu.stopReason()) {
      case STOP_PAGE_FAULT: {
        const error = mmu.stopError();
        mmu.invalidateFault(vpn);
        if (!this.faultExits()) return this.deliver({ vpn, offset, error });
        const exit = { reason: "page-fault", vpn, offset, error, store } as const;
        return this.resolve(this.vmExit(exit), exit);
      }
      case STOP_EPT_VIOLATION: {
        const gfn = mmu.stopGfn();
        const access = mmu.stopKind();
        const duringWalk = mmu.stopDuringWalk();
        const isPresent = mmu.stopIsPresent();
        const isMalformed = mmu.stopIsMalformed();
        mmu.invalidateViolation(gfn, vpn);
        const what = { vpn, gfn, access, duringWalk, store };
        const exit: VmExit = isMalformed
          ? { reason: "ept-misconfiguration", ...what }
          : {
              reason: "ept-violation",
              ...what,
              offset,
              isPresent,
              isStack: (high & SHADOW_STACK) !== 0,
            };
        return this.resolve(this.vmExit(exit), { vpn, offset, error: 0 });
      }
      case STOP_PML_FULL:
        this.vmExit({ reason: "pml-full", vpn, gfn: mmu.stopGfn() });
        return "again";
      case STOP_SUB_PAGE_MISS:
      case STOP_SUB_PAGE_MALFORMED: {
        const isMalformed = mmu.stopReason() === STOP_SUB_PAGE_MALFORMED;
        const exit = { reason: "sub-page-event", vpn, gfn: mmu.stopGfn(), isMalformed } as const;
        return this.resolve(this.vmExit(exit), { vpn, offset, error: 0 });
      }
      default:
        throw new OutsideMemory(vpn, mmu.stopGfn(), this.memory.guestFrames);
    }
  }

  private faultExits(): boolean {
    const { exitOnPageFault, deliversSwitchedFaults } = this.controls;
    return exitOnPageFault && !(deliversSwitchedFaults && this.mmu.stopSwitched());
  }

  private resolve(resolution: Resolution, fault: PageFault): "again" | "done" {
    // Objects first: a comparison that has met both strings and objects is a call.
    if (typeof resolution === "object") {
      const { vpn, offset } = fault;
      return this.deliver({ vpn, offset, error: resolution.inject });
    }
    if (resolution === "resume") return "again";
    if (resolution === "skip") {
      this.accesses.observer?.denied(this.id, fault.vpn, this.stoppedHigh, fault.offset);
    }
    return "done";
  }

  private deliver(fault: PageFault): "again" | "done" {
    this.ledger.guestPageFaults += 1;
    this.accesses.observer?.guestFault(this.id, fault, this.stoppedHigh);
    const outcome = this.accesses.inSupervisor(() => this.software.pageFault(fault));
    if (this.controls.exitOnIret) this.vmExit({ reason: "iret" });
    this.accesses.progressed();
    return outcome === "retry" ? "again" : "done";
  }
}

function unhandled(fault: PageFault): never {
  const access = fault.error & PF_PRESENT ? "protection" : "not-present";
  throw new Error(`bug: guest: nobody handles the ${access} #PF at vpn ${fault.vpn}`);
}
