/**
 * VM exits: why a guest is left, what its hypervisor is told, and what becomes of the instruction.
 *
 * Source: SDM vol. 3C 26 "VMX Non-Root Operation", 28.2.1 "Basic VM-Exit Information".
 */
import type { Gfn, Vpn } from "./address.ts";
import type { CounterName, Ledger } from "./counters.ts";
import type { Cr3, Registers } from "./registers.ts";

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
      /** Byte offset of the access in its page: of no meaning during a walk. */
      readonly offset: number;
      /** True when the walker was reading or updating a guest page table at `gfn`. */
      readonly duringWalk: boolean;
      /** Was there an entry that grants less than the access asks for? */
      readonly isPresent: boolean;
      /** Is it a shadow stack's access? Bit 13 of Intel's qualification. Absent: no. */
      readonly isStack?: boolean;
      readonly store: PendingStore | null;
    }
  /** The nested entry is one that silicon calls misconfigured: how KVM marks what is MMIO (SDM vol. 3C 29.3.3.1). */
  | {
      readonly reason: "ept-misconfiguration";
      readonly vpn: Vpn;
      readonly gfn: Gfn;
      readonly access: "read" | "write" | "fetch";
      readonly duringWalk: boolean;
      readonly store: PendingStore | null;
    }
  /** The sub-page permissions have no entry for the store's page, or (`isMalformed`) one that is none: basic reason 66. */
  | {
      readonly reason: "sub-page-event";
      readonly vpn: Vpn;
      readonly gfn: Gfn;
      readonly isMalformed: boolean;
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
  | { readonly reason: "cpuid" }
  | { readonly reason: "iret" }
  /** Nothing that translation has to do with: an interrupt, an I/O port, an MSR, HLT. */
  | { readonly reason: "other"; readonly cause: OtherExit | GuestCall; readonly call?: Hypercall };

/** What such an exit is for. All cost every scheme the same. */
export type OtherExit = "interrupt" | "io" | "msr" | "halt";

/** What a guest asks of its hypervisor: a VMFUNC that silicon does not do, a call. */
export type GuestCall = "vmfunc" | "hypercall";

/** What a hypervisor is told of a call: silicon says where the instruction is, the guest's registers say the rest. */
export interface Hypercall {
  readonly page: Vpn;
  /** Byte offset of the instruction in its page. */
  readonly offset: number;
  readonly index: number;
  readonly low: number;
  readonly high: number;
}

export type ExitReason = VmExit["reason"];

/** The ledger's column for each reason. */
export const exitCounter = {
  "page-fault": "exitsPageFault",
  "ept-violation": "exitsEptViolation",
  "ept-misconfiguration": "exitsEptMisconfiguration",
  "cr3-write": "exitsCr3Write",
  "cr3-read": "exitsCr3Read",
  invlpg: "exitsInvlpg",
  invpcid: "exitsInvpcid",
  "cr0-write": "exitsCr0Write",
  "cr4-write": "exitsCr4Write",
  cpuid: "exitsCpuid",
  "pml-full": "exitsPmlFull",
  "sub-page-event": "exitsOther",
  iret: "exitsOther",
  other: "exitsOther",
} as const satisfies Record<ExitReason, CounterName>;

/** What a kernel outside of ring 0 takes an exception for. The rest is silicon's own, or comes from devices. */
export const isException = {
  "page-fault": true,
  "ept-violation": false,
  "ept-misconfiguration": false,
  "cr3-write": true,
  "cr3-read": true,
  invlpg: true,
  invpcid: true,
  "cr0-write": true,
  "cr4-write": true,
  cpuid: true,
  "pml-full": false,
  "sub-page-event": false,
  iret: true,
  other: false,
} as const satisfies Record<ExitReason, boolean>;

/** The guest left by an exception. */
export function countException(ledger: Ledger, { reason }: VmExit): void {
  ledger.softwareExits += 1;
  if (reason === "page-fault") ledger.softwareExitsPageFault += 1;
}

/** INVPCID types (SDM vol. 2A, INVPCID). */
export type InvpcidType = "address" | "context" | "all-with-globals" | "all";

/**
 * What happens to the instruction that exited.
 * `resume`: executed again. `emulated`: done by the hypervisor (see `VirtualCpu.emulateStore`).
 * `skip`: passed over with nothing done, because the hypervisor's policy denies it (a load gives zero, a store is lost).
 * `inject`: the guest's own #PF is delivered, with this error code (`PF_*` bits).
 */
export type Resolution = "resume" | "emulated" | "skip" | { readonly inject: number };
