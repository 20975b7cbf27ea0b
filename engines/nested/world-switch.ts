/**
 * What a hypervisor executes between an exit of its guest and the next entry, beside its own work: the instructions that
 * exit when it runs in a guest itself.
 *
 * Source: rule 3 of results/groundtruth/nested (Linux 6.1 and 6.12, kvm_amd): VMSAVE and VMLOAD swap what VMRUN does not,
 * STGI lets interrupts in, DEBUGCTL is read before each entry, CLGI keeps them out. APM vol. 2 15.5, 15.33 "Nested
 * Virtualization" (virtual VMSAVE and VMLOAD, virtual GIF).
 */
/** Instructions of a hypervisor, as L0 knows them. */
export type HypervisorInstruction =
  "vmrun" | "vmload" | "vmsave" | "stgi" | "clgi" | "invlpga" | "rdmsr" | "out";

/** What silicon lets L1 do without L0. */
export interface NestingFeatures {
  /** STGI and CLGI act on a virtual flag. */
  readonly virtualGif: boolean;
  /** VMLOAD and VMSAVE translate their operand through the nested tables. */
  readonly virtualVmload: boolean;
}

export const plainSvm: NestingFeatures = { virtualGif: false, virtualVmload: false };

export const afterExit = ["vmsave", "vmload", "stgi"] as const;
export const beforeEntry = ["rdmsr", "clgi", "vmload"] as const;
/** On its way to user space and back L1 saves what the other one would find changed. */
export const throughUserSpace = ["out", "vmsave"] as const;

/** Does the instruction exit to L0, or does silicon perform it for L1? */
export function exits(
  instruction: HypervisorInstruction,
  { virtualGif, virtualVmload }: NestingFeatures,
): boolean {
  if (instruction === "stgi" || instruction === "clgi") return !virtualGif;
  if (instruction === "vmload" || instruction === "vmsave") return !virtualVmload;
  return true;
}

/** Exits to L0 by instruction. */
export type InstructionExits = Record<HypervisorInstruction, number>;

export function noExits(): InstructionExits {
  return { vmrun: 0, vmload: 0, vmsave: 0, stgi: 0, clgi: 0, invlpga: 0, rdmsr: 0, out: 0 };
}

/** Exits to L0 for one exit of L1's guest: its own, and those of the instructions until L1's guest runs again. */
export function exitsPerRoundTrip(features: NestingFeatures): number {
  const instructions = [...afterExit, ...beforeEntry, "vmrun"] as const;
  return 1 + instructions.filter((name) => exits(name, features)).length;
}
