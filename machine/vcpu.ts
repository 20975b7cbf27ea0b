/**
 * One virtual CPU: guest instructions in, translations by the MMU, faults to the guest, exits to the engine.
 *
 * Loads, stores and fetches of unknown value are appended to the MMU's columns and run in batches.
 * Privileged instructions and stores of known value drain the batch first, so program order holds. A batch
 * stops at a faulting access: the exit is answered or the guest's handler runs, then it resumes there.
 *
 * Source: SDM vol. 3A 4.10 "Caching Translation Information", vol. 3C 26 "VMX Non-Root Operation".
 */
import { type Gfn, hexAddress, type Pfn, type Vpn } from "./address.ts";
import { assert } from "./assert.ts";
import { createLedger, type CounterName, type Ledger, walkLengthMax } from "./counters.ts";
import { PF_PRESENT } from "./entry.ts";
import type {
  Controls,
  Cr3,
  ExitReason,
  Hypervisor,
  InvpcidType,
  PendingStore,
  Registers,
  VmExit,
} from "./exit.ts";
import type { PhysicalMemory } from "./memory.ts";
import {
  batchLength,
  columnLength,
  FETCH,
  HIGH_MASK,
  type Mmu,
  STOP_EPT_VIOLATION,
  STOP_PAGE_FAULT,
  STOP_PML_FULL,
  STORE,
  USER,
} from "./mmu.ts";

export interface PageFault {
  readonly vpn: Vpn;
  readonly offset: number;
  /** `PF_*` bits. */
  readonly error: number;
}

/** The guest's kernel, as far as silicon calls it. */
export interface GuestSoftware {
  /** #PF was delivered. `retry` repeats the instruction, `abandon` skips it (a trace goes on by itself). */
  pageFault(fault: PageFault): "retry" | "abandon";
}

/** Sees everything a checker needs, in program order. `high` is the access as the MMU's column has it. */
export interface Observer {
  /** The access was translated; a store of known value has not changed the bytes yet. */
  access(vcpu: Vcpu, vpn: Vpn, high: number, pfn: Pfn): void;
  /** The hypervisor is about to perform a store for the guest at `gfn`, which it keeps in `pfn`. */
  emulated(vcpu: Vcpu, access: { vpn: Vpn; high: number; gfn: Gfn; pfn: Pfn }): void;
  /** Known bytes of `pfn` are about to change: what they were can still be read. */
  storing(vcpu: Vcpu, pfn: Pfn, store: PendingStore): void;
  copied(vcpu: Vcpu, to: Pfn, from: Pfn): void;
  /** #PF is about to be delivered to the guest. */
  guestFault(vcpu: Vcpu, fault: PageFault, high: number): void;
  /** After the invalidation, so that what it dropped is known to be gone. */
  /** `page` is absent for a flush of more than one page; `pcid` absent means all PCIDs. */
  invalidated(vcpu: Vcpu, scope: Invalidation): void;
}

export type Invalidation =
  | { readonly kind: "page"; readonly vpn: Vpn; readonly pcid: number; readonly globals: boolean }
  | { readonly kind: "context"; readonly pcid: number }
  | { readonly kind: "all"; readonly globals: boolean };

const exitCounter: Record<ExitReason, CounterName> = {
  "page-fault": "exitsPageFault",
  "ept-violation": "exitsEptViolation",
  "cr3-write": "exitsCr3Write",
  "cr3-read": "exitsCr3Read",
  invlpg: "exitsInvlpg",
  invpcid: "exitsInvpcid",
  "cr0-write": "exitsCr0Write",
  "cr4-write": "exitsCr4Write",
  cpuid: "exitsCpuid",
  "pml-full": "exitsPmlFull",
};

/** An access that needs more exits than this is a hypervisor that makes no progress. */
const exitsPerAccessMax = 1000;

/** The guest's tables lead outside its memory: the guest's (a trace's) mistake, not ours. */
export class OutsideMemory extends Error {
  readonly vpn: Vpn;
  readonly gfn: number;

  constructor(vpn: Vpn, gfn: number, guestFrames: number) {
    const memory = hexAddress(guestFrames);
    super(`GVA 0x${hexAddress(vpn)} leads to GPA 0x${hexAddress(gfn)}, outside memory (0x${memory} bytes)`);
    this.vpn = vpn;
    this.gfn = gfn;
  }
}

const dataStore: PendingStore = { kind: "data" };
const pageStore: PendingStore = { kind: "page" };

/** `MemorySize` and the parts that `Machine` hands to each vCPU. */
export interface VcpuParts {
  readonly id: number;
  readonly mmu: Mmu;
  readonly memory: PhysicalMemory;
}

export class Vcpu {
  readonly id: number;
  readonly mmu: Mmu;
  readonly memory: PhysicalMemory;
  readonly ledger: Ledger = createLedger();
  /** Walks by number of references: `walkLengths[24]` walks took 24. */
  readonly walkLengths = new Float64Array(walkLengthMax + 1);
  /** The guest's own view: what it loaded last. */
  cr3: Cr3 = { root: 0 as Gfn, pcid: 0, keep: false };
  registers: Registers = { writeProtect: true, globalPages: true, pcid: false, levels: 4 };
  software: GuestSoftware = { pageFault: unhandled };
  observer: Observer | null = null;
  /** High half of what `load` returned. */
  loadedHigh = 0;
  private hypervisor: Hypervisor | null = null;
  private controls: Controls = bareMetal;
  private userBit = 0;
  private base = 0;
  private length = 0;
  private pending: PendingStore = dataStore;
  private pendingCopy: Pfn | null = null;
  private exitsHere = 0;
  /** High column of the access that stopped last. */
  private stoppedHigh = 0;

  constructor({ id, mmu, memory }: VcpuParts) {
    this.id = id;
    this.mmu = mmu;
    this.memory = memory;
  }

  /** First entry: the hypervisor sets controls and root. */
  boot(hypervisor: Hypervisor, cr3: Cr3, registers: Registers): void {
    this.hypervisor = hypervisor;
    this.cr3 = cr3;
    this.registers = registers;
    hypervisor.boot(this, cr3, registers);
  }

  // --- For the hypervisor -----------------------------------------------------------------------------

  /** Loads the VMCS. The walker's root is set apart, by `setHardwareRoot`. */
  setControls(controls: Controls): void {
    this.controls = controls;
    this.mmu.configure(controls.nested, this.walkRegisters(), this.id + 1);
    this.mmu.setPml(controls.pml);
  }

  /** The root that silicon walks from: the guest's under nested paging and bare metal, else a shadow root. */
  setHardwareRoot(frame: Gfn | Pfn, pcid: number): void {
    this.mmu.setRoot({ frame, pcid });
  }

  /**
   * Performs the store that exited, at `gfn`, for the guest: what instruction emulation does.
   * Call it before answering `emulated`.
   */
  emulateStore(exit: { readonly vpn: Vpn; readonly store: PendingStore | null }, gfn: Gfn): void {
    const { store } = exit;
    assert(store !== null && this.hypervisor !== null, `vcpu: nothing to emulate at vpn ${exit.vpn}`);
    this.ledger.emulatedStores += 1;
    const pfn = this.hypervisor.memory.touch(gfn);
    this.observer?.emulated(this, { vpn: exit.vpn, high: this.stoppedHigh, gfn, pfn });
    this.completeStore(pfn);
  }

  // --- Guest instructions: accesses of unknown value, batched -----------------------------------------

  /** 8-byte load at byte `offset` of page `vpn`. */
  read(vpn: Vpn, offset = 0): void {
    this.append(vpn, offset, 0);
  }

  /** Store of data whose value does not matter; bytes stay as they are. */
  write(vpn: Vpn, offset = 0): void {
    this.append(vpn, offset, STORE);
  }

  /** Instruction fetch. */
  fetch(vpn: Vpn, offset = 0): void {
    this.append(vpn, offset, FETCH);
  }

  /** Runs everything appended so far. */
  drain(): void {
    let index = this.base;
    while (index < this.length) {
      // A checker wants to see every access; otherwise the MMU keeps the whole batch to itself.
      const to = this.observer === null ? this.length : index + 1;
      const done = this.mmu.run(index, to);
      if (done < to) {
        index = this.stopped(done);
      } else {
        this.exitsHere = 0;
        if (this.observer !== null) this.observe(index);
        index = done;
      }
    }
    this.length = this.base;
  }

  // --- Guest instructions: known values ---------------------------------------------------------------

  /** Loads entry `index` (8 bytes) of the page: returns its low half, `loadedHigh` has the other. */
  load(vpn: Vpn, index: number): number {
    if (!this.single(vpn, index * 8, 0, dataStore)) return 0;
    const pfn = this.mmu.lastPfn();
    this.loadedHigh = this.memory.readHigh(pfn, index);
    return this.memory.readLow(pfn, index);
  }

  /** Stores 8 known bytes at entry `index` of the page. */
  store(vpn: Vpn, index: number, low: number, high: number): void {
    this.single(vpn, index * 8, STORE, { kind: "entry", index, low, high });
  }

  /** Stores zeros over the whole page (rep stos); counts as one access. */
  zeroPage(vpn: Vpn): void {
    this.single(vpn, 0, STORE, pageStore);
  }

  /** Copies a page through the two mappings; counts as one load and one store. */
  copyPage(to: Vpn, from: Vpn): void {
    if (!this.single(from, 0, 0, dataStore)) return;
    this.pendingCopy = this.mmu.lastPfn();
    this.single(to, 0, STORE, pageStore);
    this.pendingCopy = null;
  }

  // --- Guest instructions: privileged -----------------------------------------------------------------

  /** User or supervisor mode for what follows. No exit under any scheme. */
  setPrivilege(mode: "user" | "supervisor"): void {
    this.userBit = mode === "user" ? USER : 0;
  }

  /** MOV to CR3. */
  writeCr3(root: Gfn, pcid = 0, keep = false): void {
    this.drain();
    const cr3: Cr3 = { root, pcid, keep: keep && this.registers.pcid };
    this.ledger.cr3Writes += 1;
    if (cr3.keep) this.ledger.cr3WritesKept += 1;
    this.cr3 = cr3;
    if (this.controls.exitOnCr3Write) {
      this.vmExit({ reason: "cr3-write", cr3 });
    } else {
      this.mmu.setRoot({ frame: root, pcid });
      if (!cr3.keep) this.mmu.flushContext(pcid);
    }
    if (!cr3.keep) this.observer?.invalidated(this, { kind: "context", pcid });
  }

  /** MOV from CR3. */
  readCr3(): Cr3 {
    this.drain();
    if (this.controls.exitOnCr3Read) this.vmExit({ reason: "cr3-read" });
    return this.cr3;
  }

  invlpg(vpn: Vpn): void {
    this.drain();
    this.ledger.invlpgs += 1;
    if (this.controls.exitOnInvlpg) this.vmExit({ reason: "invlpg", vpn });
    else this.mmu.invalidatePage(vpn);
    this.observer?.invalidated(this, { kind: "page", vpn, pcid: this.cr3.pcid, globals: true });
  }

  /** INVPCID. `vpn` matters for type `address` only. */
  invpcid(type: InvpcidType, pcid: number, vpn = 0 as Vpn): void {
    this.drain();
    this.ledger.invpcids += 1;
    if (this.controls.exitOnInvpcid) this.vmExit({ reason: "invpcid", type, pcid, vpn });
    else this.invalidatePcid(type, pcid, vpn);
    this.observer?.invalidated(this, invpcidScope(type, pcid, vpn));
  }

  /** What INVPCID does to this vCPU's caches; engines that intercept it call this for their own tables. */
  invalidatePcid(type: InvpcidType, pcid: number, vpn: Vpn): void {
    if (type === "address") this.mmu.invalidatePageOf(vpn, pcid);
    else if (type === "context") this.mmu.flushContext(pcid);
    else if (type === "all") this.mmu.flushNonGlobal();
    else this.mmu.flushLinear();
  }

  /** MOV to CR0 or CR4 with these paging bits. A change of PGE or PCIDE flushes everything. */
  writeRegisters(register: "cr0" | "cr4", registers: Registers): void {
    this.drain();
    this.ledger.controlRegisterWrites += 1;
    this.registers = registers;
    if (register === "cr0") {
      if (this.controls.exitOnCr0Write) this.vmExit({ reason: "cr0-write", registers });
    } else {
      if (this.controls.exitOnCr4Write) this.vmExit({ reason: "cr4-write", registers });
      this.mmu.flushLinear();
      this.observer?.invalidated(this, { kind: "all", globals: true });
    }
    this.mmu.configure(this.controls.nested, this.walkRegisters(), this.id + 1);
  }

  cpuid(): void {
    this.drain();
    if (this.controls.virtualized) this.vmExit({ reason: "cpuid" });
  }

  /** Counts so far, everything drained. A copy. */
  snapshot(): { readonly ledger: Ledger; readonly walkLengths: Float64Array } {
    this.drain();
    this.mmu.collect(this.ledger, this.walkLengths);
    return { ledger: { ...this.ledger }, walkLengths: this.walkLengths.slice() };
  }

  // --- Inside -----------------------------------------------------------------------------------------

  private append(vpn: Vpn, offset: number, kind: number): void {
    if (this.length - this.base >= batchLength) this.drain();
    const at = this.length;
    // `<<` takes the number modulo 2^32, which is what the low half wants of a 45-bit page number.
    this.mmu.low[at] = (vpn << 12) | offset;
    this.mmu.high[at] = ((vpn / 0x10_0000) & HIGH_MASK) | kind | this.userBit;
    this.length = at + 1;
  }

  /** One access by itself; false when the guest abandoned it. */
  private single(vpn: Vpn, offset: number, kind: number, store: PendingStore): boolean {
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

  /** Bytes change as the pending store says. */
  private completeStore(pfn: Pfn): void {
    const { memory, pending, observer } = this;
    if (pending.kind === "data") return;
    observer?.storing(this, pfn, pending);
    if (pending.kind === "entry") {
      memory.write(pfn, pending.index, pending.low, pending.high);
    } else {
      if (this.pendingCopy === null) {
        memory.zero(pfn);
      } else {
        memory.copy(pfn, this.pendingCopy);
        observer?.copied(this, pfn, this.pendingCopy);
      }
    }
  }

  private observe(index: number): void {
    const low = this.mmu.low[index]!;
    const high = this.mmu.high[index]!;
    const vpn = ((high & HIGH_MASK) * 0x10_0000 + (low >>> 12)) as Vpn;
    this.observer!.access(this, vpn, high, this.mmu.lastPfn());
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
    assert(this.exitsHere <= exitsPerAccessMax, `vcpu ${this.id}: vpn ${vpn} exits for ever`);
    switch (mmu.stopReason()) {
      case STOP_PAGE_FAULT: {
        const error = mmu.stopError();
        const fault = { vpn, offset, error };
        mmu.invalidateFault(vpn);
        if (!this.controls.exitOnPageFault) return this.deliver(fault, index);
        return this.resolve(this.vmExit({ reason: "page-fault", ...fault, store }), fault, index);
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

  private resolve(
    resolution: ReturnType<Hypervisor["exit"]>,
    fault: PageFault,
    index: number,
  ): number {
    if (resolution === "resume") return index;
    if (resolution === "inject") return this.deliver(fault, index);
    this.exitsHere = 0;
    return index + 1;
  }

  /** The guest's handler runs behind the unfinished batch, so that what is left of it stays. */
  private deliver(fault: PageFault, index: number): number {
    const { base, length, pending, pendingCopy, userBit } = this;
    this.ledger.guestPageFaults += 1;
    this.observer?.guestFault(this, fault, this.stoppedHigh);
    this.base = length;
    this.userBit = 0;
    this.pendingCopy = null;
    assert(length + batchLength <= columnLength, `vcpu ${this.id}: page faults nest too deep`);
    const outcome = this.software.pageFault(fault);
    this.drain();
    this.base = base;
    this.length = length;
    this.pending = pending;
    this.pendingCopy = pendingCopy;
    this.userBit = userBit;
    this.exitsHere = 0;
    return outcome === "retry" ? index : index + 1;
  }

  private vmExit(exit: VmExit): ReturnType<Hypervisor["exit"]> {
    const { ledger, mmu, controls } = this;
    assert(this.hypervisor !== null, `vcpu ${this.id}: ${exit.reason} exit before boot`);
    ledger.exits += 1;
    ledger[exitCounter[exit.reason]] += 1;
    const resolution = this.hypervisor.exit(exit, this);
    // Without VPID the exit and the entry each flush; the host runs no guest code between, so one is enough.
    if (!controls.vpid) mmu.flushLinear();
    return resolution;
  }

  /** A shadow root is always walked with WP set and the guest's level count is the engine's affair. */
  private walkRegisters(): Registers {
    return this.controls.walk ?? this.registers;
  }
}

const bareMetal: Controls = {
  virtualized: false,
  nested: null,
  walk: null,
  exitOnPageFault: false,
  exitOnCr3Write: false,
  exitOnCr3Read: false,
  exitOnInvlpg: false,
  exitOnInvpcid: false,
  exitOnCr0Write: false,
  exitOnCr4Write: false,
  vpid: true,
  pml: null,
};

function unhandled(fault: PageFault): never {
  const access = fault.error & PF_PRESENT ? "protection" : "not-present";
  throw new Error(`bug: guest: nobody handles the ${access} #PF at vpn ${fault.vpn}`);
}

function invpcidScope(type: InvpcidType, pcid: number, vpn: Vpn): Invalidation {
  if (type === "address") return { kind: "page", vpn, pcid, globals: false };
  if (type === "context") return { kind: "context", pcid };
  return { kind: "all", globals: type === "all-with-globals" };
}
