/**
 * What a hypervisor executes between an exit of its guest and the next entry, beside its own work: the instructions that
 * exit when it runs in a guest itself.
 *
 * AMD's control block is memory; what costs is the state that VMRUN does not swap. Intel's is reached by VMREAD and
 * VMWRITE only, each of which exits, unless silicon shadows it.
 *
 * Source: rule 3 of results/groundtruth/nested (Linux 6.1 and 6.12, kvm_amd): VMSAVE and VMLOAD swap what VMRUN does not,
 * STGI lets interrupts in, DEBUGCTL is read before each entry, CLGI keeps them out. APM vol. 2 15.5, 15.33 "Nested
 * Virtualization" (virtual VMSAVE and VMLOAD, virtual GIF). Intel: Ben-Yehuda et al., "The Turtles Project" (OSDI 2010)
 * 4.3, 7 reads and 4 writes for a CPUID exit; SDM vol. 3C 25.6.2 "VMCS Shadowing Bitmap Addresses".
 * Linux `vmx_flush_tlb_current`, `hv_flush_remote_tlbs`.
 *
 * Model: L1 on Intel reads and writes as many fields for every exit as for CPUID. Bias: both, spared more accesses of other exits.
 *
 * Model: a flush of all processors by one call is counted with the interrupts that it makes needless. Bias: both.
 */

/** Instructions of a hypervisor, as L0 knows them. */
export type HypervisorInstruction =
  | "vmrun"
  | "vmload"
  | "vmsave"
  | "stgi"
  | "clgi"
  | "invlpga"
  | "rdmsr"
  | "out"
  | "vmresume"
  | "vmread"
  | "vmwrite"
  | "invvpid"
  | "invept"
  | "vmcall";

/** What AMD's silicon lets L1 do without L0. */
export interface SvmFeatures {
  /** STGI and CLGI act on a virtual flag. */
  readonly virtualGif: boolean;
  /** VMLOAD and VMSAVE translate their operand through the nested tables. */
  readonly virtualVmload: boolean;
}

/**
 * How L1 gets at Intel's control block. By instructions that exit; by instructions that act on one that L0 has put beside
 * its own ("shadowed"); by loads and stores of a page that L0 reads ("enlightened").
 */
export interface VmxFeatures {
  readonly controlBlock: "instructions" | "shadowed" | "enlightened";
}

/** An L1 that uses no virtualization hardware: to silicon its guest is a program of its kernel's. */
export interface NoHardware {
  readonly hardware: "none";
}

export type NestingFeatures = SvmFeatures | VmxFeatures | NoHardware;

export const plainSvm: SvmFeatures = { virtualGif: false, virtualVmload: false };
/** As Intel's have been since 2013. */
export const shadowingVmx: VmxFeatures = { controlBlock: "shadowed" };
export const exitingVmx: VmxFeatures = { controlBlock: "instructions" };
/** On Hyper-V, or on KVM that offers what Hyper-V does. */
export const enlightenedVmx: VmxFeatures = { controlBlock: "enlightened" };
export const noHardware: NoHardware = { hardware: "none" };

/** L1's instructions by occasion, in program order. */
export interface WorldSwitch {
  readonly afterExit: readonly HypervisorInstruction[];
  readonly beforeEntry: readonly HypervisorInstruction[];
  /** Null: a return from an exception, which is nobody's but the kernel's. */
  readonly entry: HypervisorInstruction | null;
  /** On its way to user space and back L1 saves what the other one would find changed. */
  readonly throughUserSpace: readonly HypervisorInstruction[];
  /** Drops what is cached for one address of its guest's. Null: INVLPG. */
  readonly flushPage: HypervisorInstruction | null;
  /** Drops what nested tables had a part in, by each vCPU for itself or by one for all. Null: the control block asks for it. */
  readonly flushNested: {
    readonly instruction: HypervisorInstruction;
    readonly reaches: "one" | "all";
  } | null;
}

const svm: WorldSwitch = {
  afterExit: ["vmsave", "vmload", "stgi"],
  beforeEntry: ["rdmsr", "clgi", "vmload"],
  entry: "vmrun",
  throughUserSpace: ["out", "vmsave"],
  flushPage: "invlpga",
  flushNested: null,
};

const vmx: WorldSwitch = {
  afterExit: Array.from({ length: 7 }, () => "vmread" as const),
  beforeEntry: Array.from({ length: 4 }, () => "vmwrite" as const),
  entry: "vmresume",
  throughUserSpace: ["out"],
  flushPage: "invvpid",
  flushNested: { instruction: "invept", reaches: "one" },
};

/** The control block is memory (`enlightened-vmcs.ts`); HvFlushGuestPhysicalAddressSpace flushes all processors. */
const enlightened: WorldSwitch = {
  ...vmx,
  afterExit: [],
  beforeEntry: [],
  flushNested: { instruction: "vmcall", reaches: "all" },
};

const withoutHardware: WorldSwitch = {
  afterExit: [],
  beforeEntry: [],
  entry: null,
  throughUserSpace: [],
  flushPage: null,
  flushNested: null,
};

export function worldSwitch(features: NestingFeatures): WorldSwitch {
  if ("hardware" in features) return withoutHardware;
  if (!("controlBlock" in features)) return svm;
  return isEnlightened(features) ? enlightened : vmx;
}

export function isEnlightened(features: NestingFeatures): boolean {
  return "controlBlock" in features && features.controlBlock === "enlightened";
}

/** Does the instruction exit to L0, or does silicon perform it for L1? */
export function exits(
  instruction: HypervisorInstruction | null,
  features: NestingFeatures,
): boolean {
  if (instruction === null || "hardware" in features) return false;
  if ("controlBlock" in features) {
    const isAccess = instruction === "vmread" || instruction === "vmwrite";
    return !isAccess || features.controlBlock === "instructions";
  }
  if (instruction === "stgi" || instruction === "clgi") return !features.virtualGif;
  if (instruction === "vmload" || instruction === "vmsave") return !features.virtualVmload;
  return true;
}

/** Exits to L0 by instruction. */
export type InstructionExits = Record<HypervisorInstruction, number>;

export function noExits(): InstructionExits {
  return {
    vmrun: 0,
    vmload: 0,
    vmsave: 0,
    stgi: 0,
    clgi: 0,
    invlpga: 0,
    rdmsr: 0,
    out: 0,
    vmresume: 0,
    vmread: 0,
    vmwrite: 0,
    invvpid: 0,
    invept: 0,
    vmcall: 0,
  };
}
