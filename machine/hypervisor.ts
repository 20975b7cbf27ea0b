/**
 * The contract of a hypervisor: what it is asked, and what it may do to a vCPU.
 *
 * Silicon never knows which engine runs. An engine sets control fields, owns its tables, and answers exits.
 */
import type { Gfn, Pfn, Vpn } from "./address.ts";
import type { Ledger } from "./counters.ts";
import type {
  Controls,
  Cr3,
  HostEvent,
  InvpcidType,
  PendingStore,
  Registers,
  Resolution,
  VmExit,
} from "./exit.ts";
import type { Mmu } from "./mmu.ts";

/** Guest-physical memory as the hypervisor reaches it: bytes, without any guest translation. */
export interface GuestMemory {
  /** The host frame behind `gfn`, allocated (with a host fault) on first touch. */
  touch(gfn: Gfn): Pfn;
  /** The same for a store, by the guest or by the hypervisor for it: a shared page gets a frame of its own first. */
  touchForWrite(gfn: Gfn): Pfn;
  /** Low half of entry `index` (0 to 511) of the frame; 0 where nothing was written. */
  readLow(gfn: Gfn, index: number): number;
  readHigh(gfn: Gfn, index: number): number;
  write(gfn: Gfn, index: number, low: number, high: number): void;
  /** Number of guest frames: gfn is valid below it. */
  readonly frames: number;
  /** Has the frame no memslot? Then there is nothing to map. */
  isHole(gfn: Gfn): boolean;
  /** Told of each frame that a touch has just brought back from where the host had put it (userfaultfd). */
  onReturn: ((gfn: Gfn) => void) | null;
}

/** An access to a guest frame that has no memslot. */
export interface MmioAccess {
  readonly vpn: Vpn;
  readonly gfn: Gfn;
}

/** A vCPU as its hypervisor sees it: the VMCS, the cached translations, the guest's registers. */
export interface VirtualCpu {
  readonly id: number;
  readonly mmu: Mmu;
  readonly ledger: Ledger;
  /** The guest's own view: what it loaded last. */
  readonly cr3: Cr3;
  readonly registers: Registers;
  /** Loads the control fields. The walker's root is set apart, by `setHardwareRoot`. */
  setControls(controls: Controls): void;
  /** The root that silicon walks from: the guest's under nested paging and bare metal, else a shadow root. */
  setHardwareRoot(frame: Gfn | Pfn, pcid: number): void;
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
  /** What INVPCID does to this vCPU's caches, for engines that intercept it. */
  invalidatePcid(type: InvpcidType, pcid: number, vpn: Vpn): void;
}

/** A scheme is its reaction to what a guest and the host do. No optional methods. */
export interface Hypervisor {
  readonly memory: GuestMemory;
  /** Called once per vCPU before its first instruction: sets controls and loads the first root. */
  boot(vcpu: VirtualCpu, cr3: Cr3, registers: Registers): void;
  exit(exit: VmExit, vcpu: VirtualCpu): Resolution;
  /** Returns the frames reported, for `dirty-log-get`; otherwise an empty list. */
  host(event: HostEvent): readonly Gfn[];
}
