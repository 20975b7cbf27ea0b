/**
 * One virtual CPU: the instructions that a guest can execute, as far as translation feels them.
 *
 * Privileged instructions and stores of known value drain the batch of plain accesses first, so program
 * order holds. Whether an instruction exits is the control fields' affair.
 *
 * Source: SDM vol. 3A 4.10 "Caching Translation Information", vol. 2 (INVLPG, INVPCID, MOV to CR3).
 *
 * Model: no interrupts, no devices, no SMEP and SMAP. Bias: for shadow, because under kernel isolation each
 * interrupt would be two more CR3 writes; exits for devices cost all schemes the same.
 *
 * Model: nothing runs ahead of a fault or a branch, so no walk is made in vain or ahead of its need. Bias:
 * for shadow, because speculative walks hide latency of later ones, which EPT has more of.
 */
import type { Gfn, Pfn, Vpn } from "./address.ts";
import { assert } from "./assert.ts";
import { addHypervisorWork, type Ledger, walkLengthMax } from "./counters.ts";
import { type Controls, exitsOnCr3, pagingOf } from "./controls.ts";
import { FETCH, SHADOW_STACK, STORE } from "./mmu.ts";
import type {
  GuestCall,
  Hypercall,
  InvpcidType,
  OtherExit,
  PendingStore,
  Resolution,
  VmExit,
} from "./exits.ts";
import { type Cr3, knownRoot, type Registers } from "./registers.ts";
import { checkPcide } from "./general-protection.ts";
import { checkInvpcid, invalidateBy, invpcidScope } from "./invpcid.ts";
import { MemoryInstructions } from "./memory-instructions.ts";
import type { ExitHandler, MmioAccess, VcpuParts, VirtualCpu } from "./virtual-cpu.ts";
import type { GuestSoftware, Observer } from "./observer.ts";

export class Vcpu extends MemoryInstructions implements VirtualCpu {
  readonly id: number;
  readonly vmid: number;
  readonly ledger: Ledger;
  /** Walks by number of references: `walkLengths[24]` walks took 24. */
  readonly walkLengths = new Float64Array(walkLengthMax + 1);
  /** The guest's own view: what it loaded last. */
  cr3: Cr3 = { root: 0 as Gfn, pcid: 0, keep: false };
  registers: Registers = { writeProtect: true, globalPages: true, pcid: false, levels: 4 };
  /** CR3[11:0] as last loaded: the PCID, and with CR4.PCIDE clear bits that mean nothing until it is set. */
  cr3LowBits = 0;
  knownRoots: VirtualCpu["knownRoots"] = [];
  node = 0;
  /** What hypervisors beside its own did for it: those of a hypervisor that is a guest. */
  readonly otherLevels: Readonly<Ledger>[] = [];
  private hypervisor: ExitHandler | null = null;

  constructor({ id, vmid, mmu, memory }: VcpuParts) {
    super(id, mmu, memory);
    this.id = id;
    this.vmid = vmid;
    this.ledger = this.exits.ledger;
  }

  /** First entry: the hypervisor sets controls and root. */
  boot(hypervisor: ExitHandler, cr3: Cr3, registers: Registers): void {
    this.hypervisor = hypervisor;
    this.exits.hypervisor = hypervisor;
    this.cr3LowBits = cr3.pcid;
    this.cr3 = registers.pcid ? cr3 : { ...cr3, pcid: 0 };
    this.registers = registers;
    hypervisor.boot(this, this.cr3, registers);
  }

  /** The control fields that its hypervisor loaded last. */
  get controls(): Controls {
    return this.exits.controls;
  }

  get software(): GuestSoftware {
    return this.exits.software;
  }

  set software(software: GuestSoftware) {
    this.exits.software = software;
  }

  get observer(): Observer | null {
    return this.unit.observer;
  }

  set observer(observer: Observer | null) {
    this.unit.observer = observer;
  }

  setControls(controls: Controls): void {
    this.exits.controls = controls;
    this.configure();
    this.mmu.setPml(controls.pml);
  }

  setHardwareRoot(frame: Gfn | Pfn, pcid: number): void {
    this.mmu.setRoot({ frame, pcid });
  }

  setSwitchedRoot(frame: Pfn, pcid: number): void {
    this.mmu.setRoot({ frame, pcid, isSwitched: true });
  }

  counted(): Readonly<Ledger> {
    this.mmu.collect(this.ledger, this.walkLengths);
    return this.ledger;
  }

  setTimer(period: number, fire: () => void): void {
    this.unit.timer = { period, left: period, fire };
  }

  fence(vmid: number): void {
    if (vmid === this.vmid) this.mmu.flushNested();
  }

  emulateStore(exit: { readonly vpn: Vpn; readonly store: PendingStore | null }, gfn: Gfn): void {
    this.exits.emulateStore(exit, gfn);
  }

  emulateMmio(exit: MmioAccess): void {
    this.exits.emulateMmio(exit);
  }

  /** MOV to CR3. Without CR4.PCIDE its low bits are no PCID, and bit 63 keeps nothing. */
  writeCr3(root: Gfn, lowBits = 0, keep = false): void {
    this.drain();
    const pcid = this.registers.pcid ? lowBits : 0;
    const cr3: Cr3 = { root, pcid, keep: keep && this.registers.pcid };
    this.ledger.cr3Writes += 1;
    if (cr3.keep) this.ledger.cr3WritesKept += 1;
    const { cr3: cr3Before, cr3LowBits: lowBitsBefore } = this;
    this.cr3LowBits = lowBits;
    this.cr3 = cr3;
    const exits = exitsOnCr3(this.exits.controls, cr3);
    const known = exits ? knownRoot(this.knownRoots, cr3) : undefined;
    if (exits && known === undefined) {
      if (this.exits.vmExit({ reason: "cr3-write", cr3 }) === "skip") {
        // Refused: the register keeps its value, and nothing is flushed.
        this.cr3 = cr3Before;
        this.cr3LowBits = lowBitsBefore;
        return;
      }
    } else {
      this.mmu.setRoot(known ?? { frame: root, pcid });
      if (!cr3.keep) this.mmu.flushContext(pcid);
    }
    if (!cr3.keep) this.observer?.invalidated(this.id, { kind: "context", pcid });
  }

  /** MOV from CR3. */
  readCr3(): Cr3 {
    this.drain();
    if (this.exits.controls.exitOnCr3Read) this.exits.vmExit({ reason: "cr3-read" });
    return this.cr3;
  }

  invlpg(vpn: Vpn): void {
    this.drain();
    this.ledger.invlpgs += 1;
    if (this.exits.controls.exitOnInvlpg) this.exits.vmExit({ reason: "invlpg", vpn });
    else this.mmu.invalidatePage(vpn);
    this.observer?.invalidated(this.id, { kind: "page", vpn, pcid: this.cr3.pcid, globals: true });
  }

  /** INVPCID. `vpn` matters for type `address` only. Throws `GeneralProtection`. */
  invpcid(type: InvpcidType, pcid: number, vpn = 0 as Vpn): void {
    this.drain();
    checkInvpcid(type, pcid, this.registers);
    this.ledger.invpcids += 1;
    if (this.exits.controls.exitOnInvpcid)
      this.exits.vmExit({ reason: "invpcid", type, pcid, vpn });
    else this.invalidatePcid(type, pcid, vpn);
    this.observer?.invalidated(this.id, invpcidScope(type, { pcid, vpn }));
  }

  /** What INVPCID does to this vCPU's caches; engines that intercept it call this for their own tables. */
  invalidatePcid(type: InvpcidType, pcid: number, vpn: Vpn): void {
    invalidateBy(this.mmu, type, { pcid, vpn });
  }

  /**
   * MOV to CR0 or CR4. A change of PGE, and PCIDE from 1 to 0, flush everything (SDM 4.10.4.1). PCIDE is set with
   * PCID 0 loaded, or not at all (4.10.1): throws `GeneralProtection`.
   */
  writeRegisters(register: "cr0" | "cr4", registers: Registers): void {
    this.drain();
    if (registers.pcid && !this.registers.pcid) checkPcide(this.cr3LowBits);
    this.ledger.controlRegisterWrites += 1;
    const before = this.registers;
    this.registers = registers;
    if (register === "cr0") {
      // Intel compares with the guest's read shadow, AMD's KVM intercepts changes only: the same value is no exit.
      const exits =
        this.exits.controls.exitOnCr0Write && before.writeProtect !== registers.writeProtect;
      if (exits) this.exits.vmExit({ reason: "cr0-write", registers });
    } else {
      if (this.exits.controls.exitOnCr4Write) this.exits.vmExit({ reason: "cr4-write", registers });
      if ((before.pcid && !registers.pcid) || before.globalPages !== registers.globalPages) {
        this.mmu.flushLinear();
        this.observer?.invalidated(this.id, { kind: "all", globals: true });
      }
    }
    this.configure();
  }

  /** CALL's push of 8 known bytes to entry `index` of a shadow stack's page. */
  pushShadow(vpn: Vpn, index: number, low: number, high: number): void {
    this.shadowStack(vpn, index, STORE, { kind: "entry", index, low, high });
  }

  /** What RET reads there: the low half, `loadedHigh` has the other. */
  loadShadow(vpn: Vpn, index: number): number {
    if (!this.shadowStack(vpn, index, 0)) return 0;
    const pfn = this.mmu.lastPfn();
    this.loadedHigh = this.memory.readHigh(pfn, index);
    return this.memory.readLow(pfn, index);
  }

  private shadowStack(vpn: Vpn, index: number, kind: number, store?: PendingStore): boolean {
    const [first] = pagingOf(this.controls, this.registers).stages;
    assert(first?.shadowStacks === true, "vcpu: the guest has no shadow stacks");
    return this.unit.single(vpn, index * 8, kind | SHADOW_STACK, store);
  }

  /** VMFUNC 0: true if the guest has view `index` of its memory now, false if it exited. */
  vmfunc(index: number): boolean {
    this.drain();
    return this.exits.vmfunc(index);
  }

  cpuid(): void {
    this.alwaysExits({ reason: "cpuid" });
  }

  /** An interrupt, a port: what touches no translation. */
  otherExit(cause: OtherExit | GuestCall): void {
    this.alwaysExits({ reason: "other", cause });
  }

  /** VMCALL: fetched where it stands, then an exit under every scheme. */
  hypercall(call: Hypercall): void {
    this.drain();
    if (this.unit.single(call.page, call.offset, FETCH)) {
      this.alwaysExits({ reason: "other", cause: "hypercall", call });
    }
  }

  /** What exits under every scheme; on bare metal it is the guest's own affair. */
  private alwaysExits(exit: VmExit): void {
    this.drain();
    if (this.exits.controls.virtualized) this.exits.vmExit(exit);
  }

  /** Counts so far, everything drained. A copy. */
  snapshot(): { readonly ledger: Ledger; readonly walkLengths: Float64Array } {
    this.drain();
    const ledger = { ...this.counted() };
    for (const other of this.otherLevels) addHypervisorWork(ledger, other);
    return { ledger, walkLengths: this.walkLengths.slice() };
  }

  protected answer(exit: VmExit): Resolution {
    assert(this.hypervisor !== null, () => `vcpu ${this.id}: ${exit.reason} exit before boot`);
    return this.hypervisor.exit(exit, this);
  }

  private configure(): void {
    this.mmu.configure(pagingOf(this.exits.controls, this.registers), this.vmid + this.id);
  }
}
