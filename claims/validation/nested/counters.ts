/**
 * The nested ground truth's counters in our terms: L1's, and those of exits to L0 by SVM exit code.
 *
 * Source: the counter table of results/groundtruth/nested/README.md; APM vol. 2 appendix C "SVM Intercept Exit Codes".
 */
import type { CounterName, Ledger } from "../../../machine/counters.ts";
import type {
  HypervisorInstruction,
  InstructionExits,
} from "../../../engines/nested/world-switch.ts";

/** What one phase counted at each level. */
export interface NestedPhase {
  readonly name: string;
  /** L1's hypervisor. */
  readonly l1: Readonly<Ledger>;
  /** All exits, and L0's hypervisor. */
  readonly l0: Readonly<Ledger>;
  /** L1 as silicon sees it: exits that it took itself. */
  readonly l1Silicon: Readonly<Ledger>;
  readonly instructions: Readonly<InstructionExits>;
}

const l1Names: Readonly<Record<string, readonly CounterName[]>> = {
  X_NET: ["exits"],
  x_PF: ["exitsPageFault"],
  x_NPF: ["exitsEptViolation"],
  x_INVLPG: ["exitsInvlpg"],
  x_CR3W: ["exitsCr3Write"],
  x_CPUID: ["exitsCpuid"],
  pf_taken: ["exitsPageFault", "exitsEptViolation"],
  pf_fixed: ["faultsFixed"],
  pf_spurious: ["faultsSpurious"],
  pf_emulate: ["faultsEmulated"],
  pf_guest: ["guestFaultsReflected"],
  mmu_pte_write: ["emulatedPteWrites"],
  mmu_flooded: ["shadowPagesFlooded"],
  mmu_shadow_zapped: ["shadowPagesZapped"],
  mmu_cache_miss: ["shadowPagesAllocated"],
  mmu_unsync: ["shadowPagesUnsyncNow"],
  t_unsync_page: ["shadowPagesUnsynced"],
  t_sync_page: ["shadowPagesSynced"],
  t_get_page_new: ["shadowPagesAllocated", "nestedTablesMade"],
  t_get_page_existing: ["shadowPagesFound"],
  pages_4k: ["leafEntries4kNow"],
};

const l0Names: Readonly<Record<string, readonly CounterName[]>> = {
  L0_NET: ["exits"],
  l0_own: ["l2ExitsHandled"],
  l0t_unsync_page: ["shadowPagesUnsynced"],
  l0t_sync_page: ["shadowPagesSynced"],
  l0t_get_page_new: ["shadowPagesAllocated"],
  l0t_get_page_existing: ["shadowPagesFound"],
  l0s_pf_emulate: ["faultsEmulated"],
  l0s_mmu_pte_write: ["emulatedPteWrites"],
  l0s_mmu_flooded: ["shadowPagesFlooded"],
};

/** Exit codes of what any guest may do, and of what only L1 does. */
const guestCodes: Readonly<Record<string, CounterName>> = {
  "4e": "exitsPageFault",
  "400": "exitsEptViolation",
  "79": "exitsInvlpg",
  "13": "exitsCr3Write",
  "72": "exitsCpuid",
};
const l1Codes: Readonly<Record<string, HypervisorInstruction>> = {
  "80": "vmrun",
  "82": "vmload",
  "83": "vmsave",
  "84": "stgi",
  "85": "clgi",
  "7a": "invlpga",
  "7c": "rdmsr",
};

function sum(ledger: Readonly<Ledger>, names: readonly CounterName[]): number {
  return names.reduce((total, name) => total + ledger[name], 0);
}

/** Our value for a name, or undefined if we have no such counter. */
export function nestedValueOf(counter: string, phase: NestedPhase): number | undefined {
  const { l1, l0, l1Silicon } = phase;
  const atL1 = l1Names[counter];
  if (atL1 !== undefined) return sum(l1, atL1);
  const atL0 = l0Names[counter];
  if (atL0 !== undefined) return sum(l0, atL0);
  const traps = l1Silicon.exitsPageFault + l1Silicon.exitsEptViolation;
  if (counter === "l0_trap") return traps;
  if (counter === "L0_RT") return l0.exits - l0.l2ExitsHandled - traps;
  const [, who, code] = /^l0([xni])_([0-9a-f]+)$/.exec(counter) ?? [];
  return who === undefined || code === undefined ? undefined : byCode(who, code, phase);
}

/** Exits with a code: `x` all of them, `n` from L2, `i` from L2 and reflected. */
function byCode(who: string, code: string, phase: NestedPhase): number | undefined {
  const { l1, l0, l1Silicon, instructions } = phase;
  // The marker: L2's OUT, reflected, and L1's own.
  const outsOfL2 = l0.exitsHypervisorInstruction - l1Silicon.exitsHypervisorInstruction;
  if (code === "7b") return who === "x" ? outsOfL2 + instructions.out : outsOfL2;
  const instruction = l1Codes[code];
  if (instruction !== undefined) return who === "x" ? instructions[instruction] : 0;
  const guest = guestCodes[code];
  if (guest === undefined) return undefined;
  if (who === "x") return l0[guest];
  return who === "n" ? l0[guest] - l1Silicon[guest] : l1[guest];
}
