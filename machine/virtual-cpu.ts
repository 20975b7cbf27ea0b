/**
 * A vCPU from below: what its hypervisor may do to it, and what silicon asks of a hypervisor.
 *
 * Silicon never knows which scheme runs. It calls `exit`, and reaches guest memory for a store that is emulated.
 */
import type { Gfn, Pfn, Vpn } from "./address.ts";
import type { Ledger } from "./counters.ts";
import type { Controls } from "./controls.ts";
import type { InvpcidType, PendingStore, Resolution, VmExit } from "./exits.ts";
import type { PhysicalMemory } from "./memory.ts";
import type { CachedTranslations, Mmu } from "./mmu.ts";
import type { Cr3, Registers } from "./registers.ts";

/** An access to a guest frame that has no memslot. */
export interface MmioAccess {
  readonly vpn: Vpn;
  readonly gfn: Gfn;
}

/** What silicon loads in place of what the guest writes to CR3. */
export interface KnownRoot {
  readonly root: Gfn;
  readonly pcid: number;
  readonly frame: Pfn;
  /** As by `setSwitchedRoot`. */
  readonly isSwitched: boolean;
  /** Only by a write that keeps what is cached (bit 63)? Any other exits all the same. */
  readonly keepsOnly: boolean;
}

/** A vCPU as its hypervisor sees it: the VMCS, the cached translations, the guest's registers. */
export interface VirtualCpu {
  readonly id: number;
  /** Node of the processor that runs it. */
  readonly node: number;
  /** Tag of its guest, the same for all vCPUs of that (RISC-V's and Arm's VMID); never 0, which is the host's. */
  readonly vmid: number;
  readonly mmu: CachedTranslations;
  readonly ledger: Ledger;
  /** Ledgers of other hypervisors that work for this guest: a snapshot has their work too. */
  readonly otherLevels: Readonly<Ledger>[];
  /** The guest's own view: what it loaded last. */
  readonly cr3: Cr3;
  readonly registers: Registers;
  /** The control fields as they are now: silicon writes the EPTP there when the guest takes another view. */
  readonly controls: Controls;
  /** Loads the control fields. The walker's root is set apart, by `setHardwareRoot`. */
  setControls(controls: Controls): void;
  /** The root that silicon walks from: the guest's under nested paging and bare metal, else a shadow root. */
  setHardwareRoot(frame: Gfn | Pfn, pcid: number): void;
  /** The guest's own root, at its host frame: a stage with a switch bit has switched to it before a walk begins. */
  setSwitchedRoot(frame: Pfn, pcid: number): void;
  /** Roots that the guest may load without an exit, whatever `exitOnCr3Write` says: a small cache that software fills. */
  knownRoots: readonly KnownRoot[];
  /** What counters of silicon say by now: nothing is drained for it. */
  counted(): Readonly<Ledger>;
  /**
   * Calls `fire` between two instructions whenever about `period` accesses are done: the host's timer.
   *
   * Model: its interrupt is an exit under every scheme, and priced under none. Bias: none.
   */
  setTimer(period: number, fire: () => void): void;
  /**
   * Performs the store that exited, at `gfn`, for the guest: what instruction emulation does.
   * Call it before answering `emulated`.
   */
  emulateStore(exit: { readonly vpn: Vpn; readonly store: PendingStore | null }, gfn: Gfn): void;
  /**
   * Performs the access that exited for the guest where no memory is: a load reads nothing that anybody knows, a store
   * is lost. Call it before answering `emulated`.
   */
  emulateMmio(exit: MmioAccess): void;
  /**
   * Drops all that the second stage of the guest with this tag had a part in: HFENCE.GVMA, TLBI VMALLS12E1.
   *
   * Model: a core has translations of one guest's alone, so a fence of another's finds none. Bias: none.
   */
  fence(vmid: number): void;
  /** What INVPCID does to this vCPU's caches, for engines that intercept it. */
  invalidatePcid(type: InvpcidType, pcid: number, vpn: Vpn): void;
}

/** Whoever answers a vCPU's exits. */
export interface ExitHandler {
  readonly memory: {
    /** The host frame behind `gfn` for a store by the guest or for it. */
    touchForWrite(gfn: Gfn): Pfn;
  };
  /** Called once per vCPU before its first instruction: sets controls and loads the first root. */
  boot(vcpu: VirtualCpu, cr3: Cr3, registers: Registers): void;
  exit(exit: VmExit, vcpu: VirtualCpu): Resolution;
}

/** The parts that `Machine` hands to each vCPU. `vpid` tags its cached translations; never 0, which is the host's. */
export interface VcpuParts {
  readonly id: number;
  readonly vmid: number;
  readonly mmu: Mmu;
  readonly memory: PhysicalMemory;
}
