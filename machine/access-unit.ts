/**
 * The part of a vCPU that performs accesses: batches, faults to the guest, exits to the hypervisor.
 *
 * Loads, stores and fetches of unknown value are appended to the MMU's columns and run in batches. A batch
 * stops at a faulting access: the exit is answered or the guest's handler runs, then it resumes there. The
 * handler's own accesses go behind the unfinished batch, so that what is left of it stays.
 *
 * Source: SDM vol. 3C 26 "VMX Non-Root Operation".
 */
import type { Gfn, Pfn, Vpn } from "./address.ts";
import { assert } from "./assert.ts";
import { createLedger, type Ledger } from "./counters.ts";
import { PF_PRESENT } from "./entry.ts";
import {
  type Controls,
  type PendingStore,
  type Resolution,
  type VmExit,
  exitCounter,
} from "./exit.ts";
import type { Hypervisor, MmioAccess } from "./hypervisor.ts";
import type { FrameContents, PhysicalMemory } from "./memory.ts";
import {
  batchLength,
  columnLength,
  HIGH_MASK,
  type Mmu,
  STOP_EPT_VIOLATION,
  STOP_PAGE_FAULT,
  STOP_PML_FULL,
  STORE,
  USER,
} from "./mmu.ts";
import type { GuestSoftware, Observer, PageFault } from "./observer.ts";
import { OutsideMemory } from "./outside-memory.ts";

/** An access that needs more exits than this is a hypervisor that makes no progress. */
const exitsPerAccessMax = 1000;

const dataStore: PendingStore = { kind: "data" };

/**
 * What a page copy has loaded and has yet to store. Contents, not a frame: the exits of the store come in between,
 * and the hypervisor may give the frame away in any of them.
 *
 * Model: silicon copies a page piece by piece and loads a piece again after each exit; here the whole page is loaded
 * once. Bias: none, nobody else stores to it meanwhile.
 */
interface LoadedPage {
  readonly contents: FrameContents;
  /** The observer's name for them. */
  readonly version: number;
}

/** The vCPU that owns this unit, as its hypervisor is told in an exit. */
export type AnswerExit = (exit: VmExit) => Resolution;

export class AccessUnit {
  readonly id: number;
  readonly mmu: Mmu;
  readonly memory: PhysicalMemory;
  readonly ledger: Ledger = createLedger();
  software: GuestSoftware = { pageFault: unhandled };
  observer: Observer | null = null;
  hypervisor: Hypervisor | null = null;
  controls: Controls;
  private readonly answer: AnswerExit;
  private userBit = 0;
  private base = 0;
  private length = 0;
  private pending: PendingStore = dataStore;
  private pendingCopy: LoadedPage | null = null;
  private exitsHere = 0;
  /** High column of the access that stopped last: its kind, for the observer. */
  private stoppedHigh = 0;

  constructor(
    id: number,
    mmu: Mmu,
    memory: PhysicalMemory,
    controls: Controls,
    answer: AnswerExit,
  ) {
    this.id = id;
    this.mmu = mmu;
    this.memory = memory;
    this.controls = controls;
    this.answer = answer;
  }

  setPrivilege(mode: "user" | "supervisor"): void {
    this.userBit = mode === "user" ? USER : 0;
  }

  /** Adds one access to the batch; `kind` is `STORE`, `FETCH` or 0. */
  append(vpn: Vpn, offset: number, kind: number): void {
    if (this.length - this.base >= batchLength) this.drain();
    const at = this.length;
    // `<<` takes the number modulo 2^32, which is what the low half wants of a 45-bit page number.
    this.mmu.low[at] = (vpn << 12) | offset;
    this.mmu.high[at] = ((vpn / 0x10_0000) & HIGH_MASK) | kind | this.userBit;
    this.length = at + 1;
  }

  /** Runs everything appended so far. */
  drain(): void {
    let index = this.base;
    while (index < this.length) {
      // A checker wants to see every access; otherwise the MMU keeps the whole batch to itself.
      const to = this.observer === null ? this.length : index + 1;
      const done = this.mmu.run(index, to);
      // Progress, even if the next access stops too.
      if (done > index) this.exitsHere = 0;
      if (done < to) {
        index = this.stopped(done);
      } else {
        if (this.observer !== null) this.observe(index);
        index = done;
      }
    }
    this.length = this.base;
  }

  /** One access by itself; false when the guest abandoned it. */
  single(vpn: Vpn, offset: number, kind: number, store: PendingStore = dataStore): boolean {
    this.drain();
    this.append(vpn, offset, kind);
    const index = this.base;
    for (;;) {
      if (this.mmu.run(index, index + 1) > index) break;
      this.pending = store;
      const next = this.stopped(index);
      this.pending = dataStore;
      if (next > index) {
        this.length = this.base;
        return false;
      }
    }
    this.exitsHere = 0;
    this.length = this.base;
    if (this.observer !== null) this.observe(index);
    if (store !== dataStore) {
      this.pending = store;
      this.completeStore(this.mmu.lastPfn());
      this.pending = dataStore;
    }
    return true;
  }

  /** Two pages through two mappings: the load at `from` decides what the store at `to` writes. */
  copy(to: Vpn, from: Vpn): void {
    if (!this.single(from, 0, 0)) return;
    const pfn = this.mmu.lastPfn();
    const version = this.observer === null ? 0 : this.observer.copying(this.id, pfn);
    this.pendingCopy = { contents: this.memory.contentsOf(pfn), version };
    this.single(to, 0, STORE, { kind: "page" });
    this.pendingCopy = null;
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
    this.observer?.emulated(this.id, { vpn: exit.vpn, high: this.stoppedHigh, gfn, pfn });
    this.completeStore(pfn);
  }

  emulateMmio({ vpn, gfn, store }: MmioAccess): void {
    this.ledger.accesses += 1;
    if (store !== null) this.ledger.stores += 1;
    this.observer?.mmio(this.id, { vpn, gfn }, this.stoppedHigh);
  }

  /** Leaves the guest, lets the hypervisor answer, enters again. */
  vmExit(exit: VmExit): Resolution {
    const { ledger, mmu, controls } = this;
    ledger.exits += 1;
    // By name where exits come in storms: `ledger[name]`, once the names vary, costs a trapped PTE store 10 % more.
    if (exit.reason === "page-fault") ledger.exitsPageFault += 1;
    else if (exit.reason === "ept-violation") ledger.exitsEptViolation += 1;
    else ledger[exitCounter[exit.reason]] += 1;
    const resolution = this.answer(exit);
    // Without VPID the exit and the entry each flush; the host runs no guest code between, so one is enough.
    if (!controls.vpid) mmu.flushLinear();
    return resolution;
  }

  /** Bytes change as the pending store says. */
  private completeStore(pfn: Pfn): void {
    const { memory, pending, observer } = this;
    if (pending.kind === "data") return;
    observer?.storing(this.id, pfn, pending);
    if (pending.kind === "entry") {
      memory.write(pfn, pending.index, pending.low, pending.high);
    } else {
      if (this.pendingCopy === null) {
        memory.zero(pfn);
      } else {
        memory.fill(pfn, this.pendingCopy.contents);
        observer?.copied(this.id, pfn, this.pendingCopy.version);
      }
    }
  }

  private observe(index: number): void {
    const low = this.mmu.low[index]!;
    const high = this.mmu.high[index]!;
    const vpn = ((high & HIGH_MASK) * 0x10_0000 + (low >>> 12)) as Vpn;
    this.observer!.access(this.id, vpn, high, this.mmu.lastPfn());
  }

  /** The access at `index` stopped the batch. Returns the index to go on with. */
  private stopped(index: number): number {
    const { mmu } = this;
    const low = mmu.low[index]!;
    const high = mmu.high[index]!;
    const vpn = ((high & HIGH_MASK) * 0x10_0000 + (low >>> 12)) as Vpn;
    const offset = low & 0xfff;
    const store = high < 0 ? this.pending : null;
    this.stoppedHigh = high;
    this.exitsHere += 1;
    assert(this.exitsHere <= exitsPerAccessMax, () => `vcpu ${this.id}: vpn ${vpn} exits for ever`);
    switch (mmu.stopReason()) {
      case STOP_PAGE_FAULT: {
        const error = mmu.stopError();
        mmu.invalidateFault(vpn);
        if (!this.controls.exitOnPageFault) return this.deliver({ vpn, offset, error }, index);
        const exit = { reason: "page-fault", vpn, offset, error, store } as const;
        return this.resolve(this.vmExit(exit), exit, index);
      }
      case STOP_EPT_VIOLATION: {
        const gfn = mmu.stopGfn();
        const access = mmu.stopKind();
        const duringWalk = mmu.stopDuringWalk();
        mmu.invalidateViolation(gfn, vpn);
        const exit: VmExit = { reason: "ept-violation", vpn, gfn, access, duringWalk, store };
        return this.resolve(this.vmExit(exit), { vpn, offset, error: 0 }, index);
      }
      case STOP_PML_FULL:
        this.vmExit({ reason: "pml-full", vpn, gfn: mmu.stopGfn() });
        return index;
      default:
        throw new OutsideMemory(vpn, mmu.stopGfn(), this.memory.guestFrames);
    }
  }

  private resolve(resolution: Resolution, fault: PageFault, index: number): number {
    if (resolution === "resume") return index;
    if (resolution === "emulated") {
      this.exitsHere = 0;
      return index + 1;
    }
    const { vpn, offset } = fault;
    return this.deliver({ vpn, offset, error: resolution.inject }, index);
  }

  private deliver(fault: PageFault, index: number): number {
    this.ledger.guestPageFaults += 1;
    this.observer?.guestFault(this.id, fault, this.stoppedHigh);
    const { userBit } = this;
    this.userBit = 0;
    const outcome = this.aside(() => this.software.pageFault(fault));
    this.userBit = userBit;
    this.exitsHere = 0;
    return outcome === "retry" ? index : index + 1;
  }

  /** Other guest code runs here, behind the unfinished batch, so that what is left of it stays. */
  aside<T>(body: () => T): T {
    const { base, length, pending, pendingCopy, exitsHere } = this;
    assert(
      length + batchLength <= columnLength,
      () => `vcpu ${this.id}: page faults nest too deep`,
    );
    this.base = length;
    this.pendingCopy = null;
    const result = body();
    this.drain();
    this.base = base;
    this.length = length;
    this.pending = pending;
    this.pendingCopy = pendingCopy;
    this.exitsHere = exitsHere;
    return result;
  }
}

function unhandled(fault: PageFault): never {
  const access = fault.error & PF_PRESENT ? "protection" : "not-present";
  throw new Error(`bug: guest: nobody handles the ${access} #PF at vpn ${fault.vpn}`);
}
