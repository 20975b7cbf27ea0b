/**
 * What silicon and hypervisor say to each other: controls, VM exits, resolutions, host events.
 *
 * AMD's names (VMCB, nested page fault) map one to one onto the Intel ones used here.
 *
 * Source: SDM vol. 3C chapter 25 "VM-Execution Control Fields", APM vol. 2 15.9 "Instruction Intercepts".
 */
import type { Gfn, PagingLevels, Pfn, Vpn } from "./address.ts";
import { oneStage, type Stage } from "./stages.ts";
import type { CounterName } from "./counters.ts";

/** What a VMCS or VMCB says about address translation. */
export interface Controls {
  /** False on bare metal: nothing exits, and GPA equals HPA. */
  readonly virtualized: boolean;
  /** How accesses are translated, for tables of so many levels. */
  readonly stages: (levels: PagingLevels) => readonly Stage[];
  /** Paging mode of the tables that silicon walks, when it is not the guest's own (shadow tables). */
  readonly walk: Registers | null;
  readonly exitOnPageFault: boolean;
  readonly exitOnCr3Write: boolean;
  readonly exitOnCr3Read: boolean;
  readonly exitOnInvlpg: boolean;
  readonly exitOnInvpcid: boolean;
  readonly exitOnCr0Write: boolean;
  readonly exitOnCr4Write: boolean;
  /** VPID (ASID on AMD): without it every VM entry and exit flushes linear and combined mappings. */
  readonly vpid: boolean;
  /** Page-modification logging: the frame of the 512-entry buffer, or null. */
  readonly pml: Pfn | null;
}

/** Bare metal: nothing exits. Where every vCPU starts, and what engines spread over. */
export const bareMetalControls: Controls = {
  virtualized: false,
  stages: oneStage,
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

/** What the faulting instruction would store, if it is a store. */
export type PendingStore =
  /** Data whose value nobody knows: bytes stay as they are. */
  | { readonly kind: "data" }
  /** One 8-byte value at entry `index` of the page. */
  | { readonly kind: "entry"; readonly index: number; readonly low: number; readonly high: number }
  /** The whole 4 KiB page (rep stos of zeros, or a page copy). */
  | { readonly kind: "page" };

export type VmExit =
  | {
      readonly reason: "page-fault";
      readonly vpn: Vpn;
      /** Byte offset in the page. */
      readonly offset: number;
      /** Error code bits `PF_*`. */
      readonly error: number;
      readonly store: PendingStore | null;
    }
  | {
      readonly reason: "ept-violation";
      readonly vpn: Vpn;
      readonly gfn: Gfn;
      readonly access: "read" | "write" | "fetch";
      /** True when the walker was reading or updating a guest page table at `gfn`. */
      readonly duringWalk: boolean;
      readonly store: PendingStore | null;
    }
  | { readonly reason: "pml-full"; readonly vpn: Vpn; readonly gfn: Gfn }
  | { readonly reason: "cr3-write"; readonly cr3: Cr3 }
  | { readonly reason: "cr3-read" }
  | { readonly reason: "invlpg"; readonly vpn: Vpn }
  | {
      readonly reason: "invpcid";
      readonly type: InvpcidType;
      readonly pcid: number;
      readonly vpn: Vpn;
    }
  | { readonly reason: "cr0-write"; readonly registers: Registers }
  | { readonly reason: "cr4-write"; readonly registers: Registers }
  | { readonly reason: "cpuid" };

export type ExitReason = VmExit["reason"];

/** The ledger's column for each reason. */
export const exitCounter = {
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
} as const satisfies Record<ExitReason, CounterName>;

/** INVPCID types (SDM vol. 2A, INVPCID). */
export type InvpcidType = "address" | "context" | "all-with-globals" | "all";

/** The value that MOV to CR3 carries. */
export interface Cr3 {
  readonly root: Gfn;
  readonly pcid: number;
  /** Bit 63: keep this PCID's cached translations. */
  readonly keep: boolean;
}

/** The guest's own control registers, as far as paging reads them. */
export interface Registers {
  /** CR0.WP: supervisor stores respect read-only entries. */
  readonly writeProtect: boolean;
  /** CR4.PGE: global entries survive CR3 writes. */
  readonly globalPages: boolean;
  /** CR4.PCIDE. */
  readonly pcid: boolean;
  /** CR4.LA57 decides: 4 or 5. */
  readonly levels: PagingLevels;
}

/**
 * What happens to the instruction that exited.
 * `resume`: executed again. `emulated`: done by the hypervisor (see `VirtualCpu.emulateStore`).
 * `inject`: the guest's own #PF is delivered, with this error code (`PF_*` bits).
 */
export type Resolution = "resume" | "emulated" | { readonly inject: number };

/** What the host does to a guest from outside. `frames` counts 4 KiB frames. */
export type HostEvent =
  | { readonly kind: "dirty-log-on"; readonly start: Gfn; readonly frames: number }
  | { readonly kind: "dirty-log-get" }
  /**
   * Frames of the range that a get has reported are armed again (KVM_CLEAR_DIRTY_LOG); the host copies them
   * afterwards. It does so for trackers with manual protect; others arm at the get, and nothing changes.
   */
  | { readonly kind: "dirty-log-clear"; readonly start: Gfn; readonly frames: number }
  | { readonly kind: "dirty-log-off" }
  /** Frames replaced by others, their mappings dropped; contents are lost (balloon, madvise). */
  | { readonly kind: "reclaim"; readonly start: Gfn; readonly frames: number }
  /** Frames swapped out: their mappings dropped, their contents kept; the next touch of each brings them back. */
  | { readonly kind: "evict"; readonly start: Gfn; readonly frames: number }
  /** The contents of the frames as they are now are kept, by copy-on-write; the snapshot before is dropped. */
  | { readonly kind: "snapshot"; readonly start: Gfn; readonly frames: number }
  | { readonly kind: "snapshot-drop" }
  /** One pass of the same-page merger over the whole guest. */
  | { readonly kind: "merge" }
  /** The guest may keep this many frames in host memory; the rest is swapped out. */
  | { readonly kind: "memory-limit"; readonly frames: number }
  /**
   * The VMM or a device of its stores 8 bytes into guest memory, at entry `index` of the frame. No dirty log has it (the
   * VMM knows), no page tracking sees it: a shadow of the guest table there goes on saying what it said.
   */
  | {
      readonly kind: "write";
      readonly gfn: Gfn;
      readonly index: number;
      readonly low: number;
      readonly high: number;
    }
  /** The memslot of this range is deleted: accesses go to the VMM now, which has no device there. Its memory stays with it. */
  | { readonly kind: "slot-delete"; readonly start: Gfn; readonly frames: number }
  /** A slot for the range again, with the memory that was behind it; where one is, nothing changes. */
  | { readonly kind: "slot-create"; readonly start: Gfn; readonly frames: number }
  /** In lock step: this vCPU enters the guest again after another one ran; what was asked of it meanwhile is done now. */
  | { readonly kind: "vcpu-run"; readonly vcpu: number };
