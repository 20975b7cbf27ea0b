/**
 * What one exit of L2's sets off, step by step: who leaves, why, who takes it and who answers. The picture of the Turtles
 * paper (Ben-Yehuda et al., OSDI 2010, figure 2), from a run.
 */
import type { ExitReason } from "../../machine/exits.ts";
import type { HypervisorInstruction } from "./world-switch.ts";

export type CascadeStep =
  | {
      readonly kind: "exit";
      readonly from: "L2" | "L1";
      readonly cause: ExitReason | HypervisorInstruction;
      /** L0, but for an exception of L1's own kernel. */
      readonly takenBy: "L0" | "L1";
      readonly answeredBy: "L0" | "L1";
    }
  /** L2 runs on after L1 has answered. */
  | { readonly kind: "entry" };

export type CascadeWatcher = (step: CascadeStep) => void;

export type CascadeExit = Extract<CascadeStep, { readonly kind: "exit" }>;

const reasons = {
  "page-fault": "#PF",
  "ept-violation": "violation",
  "ept-misconfiguration": "misconfiguration",
  "sub-page-event": "sub-page permissions",
  "pml-full": "log full",
  "cr3-write": "CR3 write",
  "cr3-read": "CR3 read",
  invlpg: "INVLPG",
  invpcid: "INVPCID",
  "cr0-write": "CR0 write",
  "cr4-write": "CR4 write",
  cpuid: "CPUID",
  iret: "IRET",
  other: "other",
} as const satisfies Record<ExitReason, string>;

/** Why somebody left, in a word: a reason, or the instruction. */
export function causeWord(cause: CascadeExit["cause"]): string {
  return Object.hasOwn(reasons, cause) ? reasons[cause as ExitReason] : cause.toUpperCase();
}
