/**
 * Control fields: what a VMCS or VMCB says about address translation and about what exits.
 *
 * AMD's names (VMCB, nested page fault) map one to one onto the Intel ones used here.
 *
 * Source: SDM vol. 3C chapter 25 "VM-Execution Control Fields", APM vol. 2 15.9 "Instruction Intercepts".
 */
import type { PagingLevels, Pfn } from "./address.ts";
import type { Cr3, Registers } from "./registers.ts";
import { oneStage, type Paging, type Stage, withShadowStacks } from "./stages.ts";

/** What a VMCS or VMCB says about address translation. */
export interface Controls {
  /** False on bare metal: nothing exits, and GPA equals HPA. */
  readonly virtualized: boolean;
  /** How accesses are translated, for tables of so many levels. */
  readonly stages: (levels: PagingLevels) => readonly Stage[];
  /** Paging mode of the tables that silicon walks, when it is not the guest's own (shadow tables). */
  readonly walk: Registers | null;
  readonly exitOnPageFault: boolean;
  /** Does a #PF of a walk that had switched to the guest's own tables reach the guest without an exit all the same? */
  readonly deliversSwitchedFaults: boolean;
  readonly exitOnCr3Write: boolean;
  /** Values that MOV to CR3 may load without an exit although others exit; at most four on real parts. */
  readonly cr3Targets: readonly Cr3[];
  readonly exitOnCr3Read: boolean;
  readonly exitOnInvlpg: boolean;
  readonly exitOnInvpcid: boolean;
  readonly exitOnCr0Write: boolean;
  readonly exitOnCr4Write: boolean;
  /** IRET, of which there is one here: the end of the guest's own #PF handler. */
  readonly exitOnIret: boolean;
  /**
   * Runs the guest's kernel outside of ring 0? Then what exits is an exception that the hypervisor's kernel takes, by no
   * virtualization hardware: counted as `softwareExits`.
   */
  readonly deprivileged: boolean;
  /** VPID (ASID on AMD): without it every VM entry and exit flushes linear and combined mappings. */
  readonly vpid: boolean;
  /** VMFUNC: the frame of the list of views that the guest may take, or null. See `views.ts`. */
  readonly eptpList: Pfn | null;
  /** Page-modification logging: the frame of the 512-entry buffer, or null. */
  readonly pml: Pfn | null;
}

/** Bare metal: nothing exits. Where every vCPU starts, and what engines spread over. */
export const bareMetalControls: Controls = {
  virtualized: false,
  stages: oneStage,
  walk: null,
  exitOnPageFault: false,
  deliversSwitchedFaults: false,
  exitOnCr3Write: false,
  cr3Targets: [],
  exitOnCr3Read: false,
  exitOnInvlpg: false,
  exitOnInvpcid: false,
  exitOnCr0Write: false,
  exitOnCr4Write: false,
  exitOnIret: false,
  deprivileged: false,
  vpid: true,
  eptpList: null,
  pml: null,
};

/**
 * Does this MOV to CR3 exit? The whole operand is compared with the targets, its PCID and bit 63 too (SDM vol. 3C 25.6.7
 * "CR3-Target Controls", 26.1.3).
 */
export function exitsOnCr3({ exitOnCr3Write, cr3Targets }: Controls, value: Cr3): boolean {
  if (!exitOnCr3Write || cr3Targets.length === 0) return exitOnCr3Write;
  const { root, pcid, keep } = value;
  return !cr3Targets.some((to) => to.root === root && to.pcid === pcid && to.keep === keep);
}

/** What silicon is told: shadow tables are walked in their own paging mode, others in the guest's. */
export function pagingOf({ stages, walk }: Controls, registers: Registers): Paging {
  const { writeProtect, globalPages, levels, shadowStacks = false } = walk ?? registers;
  const list = stages(levels);
  return { stages: shadowStacks ? withShadowStacks(list) : list, writeProtect, globalPages };
}
