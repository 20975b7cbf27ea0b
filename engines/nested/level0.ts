/**
 * L0 as nesting needs it: it runs L1 as it runs any guest, and L2 on tables that follow from L1's and its own.
 *
 * Three ways, by what silicon walks for L2. L1's shadow tables through L0's nested ones (`shadow@npt`): L0 composes
 * nothing. L0's shadow of L1's shadow tables (`shadow@shadow`), L0's shadow of L1's nested tables (`npt@npt`): L0's
 * shadow MMU has L1's tables in the role of a guest's, so VMRUN is a load of CR3 to it and L1's stores are a guest's.
 *
 * Source: Ben-Yehuda et al., "The Turtles Project" (OSDI 2010), section 3.3; KVM arch/x86/kvm/svm/nested.c
 * (`nested_svm_load_cr3`, `nested_svm_init_mmu_context`); rules 6, 8 and 9 of results/groundtruth/nested.
 */
import type { Vpn } from "../../machine/address.ts";
import type { Controls } from "../../machine/controls.ts";
import type { ExitReason, Resolution, VmExit } from "../../machine/exits.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { NestedCpu } from "./nested-cpu.ts";

/** The exit is L1's to answer; as L1 would have seen it from silicon. */
export interface Reflected {
  readonly reflect: VmExit;
}

export interface Level0 {
  /** Answers L1's exits, and has its memory. */
  readonly hypervisor: Hypervisor;
  /** VMRUN: silicon gets what L2 runs on. */
  enter(cpu: NestedCpu): void;
  /** An exit into L1: silicon has what L1 runs on. */
  leave(cpu: NestedCpu): void;
  /** L2 exited. */
  answer(exit: VmExit, cpu: NestedCpu): Resolution | Reflected;
  /** L1 executed INVLPGA for an address of L2's. */
  invalidatePage(vpn: Vpn, cpu: NestedCpu): void;
}

export function isReflected(answer: Resolution | Reflected): answer is Reflected {
  return typeof answer === "object" && "reflect" in answer;
}

const askedBy = {
  "page-fault": "exitOnPageFault",
  "cr3-write": "exitOnCr3Write",
  "cr3-read": "exitOnCr3Read",
  invlpg: "exitOnInvlpg",
  invpcid: "exitOnInvpcid",
  "cr0-write": "exitOnCr0Write",
  "cr4-write": "exitOnCr4Write",
  cpuid: "virtualized",
  iret: "exitOnIret",
  "pml-full": null,
  "ept-misconfiguration": null,
  "sub-page-event": null,
  // Interrupts, ports and MSRs are the host's.
  other: null,
  "ept-violation": null,
} as const satisfies Record<ExitReason, keyof Controls | null>;

/** Does L1 ask for this exit? If not, it is L0 that does. Nested tables are not looked at here. */
export function isAskedBy(controls: Controls, { reason }: VmExit): boolean {
  const field = askedBy[reason];
  return field !== null && controls[field];
}

/** What exits from L2: what L1 wants or L0 does. The rest is `other`'s. */
export function mergedControls(l1: Controls, l0: Controls, other: Partial<Controls>): Controls {
  return {
    virtualized: true,
    stages: l0.stages,
    walk: l1.walk,
    exitOnPageFault: l1.exitOnPageFault || l0.exitOnPageFault,
    // No engine that asks for it runs at two levels.
    deliversSwitchedFaults: false,
    exitOnCr3Write: l1.exitOnCr3Write || l0.exitOnCr3Write,
    exitOnCr3Read: l1.exitOnCr3Read || l0.exitOnCr3Read,
    exitOnInvlpg: l1.exitOnInvlpg || l0.exitOnInvlpg,
    exitOnInvpcid: l1.exitOnInvpcid || l0.exitOnInvpcid,
    exitOnCr0Write: l1.exitOnCr0Write || l0.exitOnCr0Write,
    exitOnCr4Write: l1.exitOnCr4Write || l0.exitOnCr4Write,
    exitOnIret: l1.exitOnIret,
    deprivileged: l1.deprivileged,
    // Of engines that run in no guest.
    eptpList: null,
    // Of guarded tables, which run in no guest.
    cr3Targets: [],
    vpid: l0.vpid,
    pml: l0.pml,
    ...other,
  };
}
