/**
 * The ground truth's counters in our terms: which of our counts each of its names is.
 *
 * Source: the counter tables of results/groundtruth/README.md and of its folders.
 */
import type { CounterName, Ledger } from "../../machine/counters.ts";
import type { SeenCounts } from "./seen-counts.ts";

/** Counts whose sum answers to a name; most are one. */
const sums: Readonly<Record<string, readonly CounterName[]>> = {
  x_PF: ["exitsPageFault"],
  x_NPF: ["exitsEptViolation"],
  x_EPTV: ["exitsEptViolation"],
  x_EPTM: ["exitsEptMisconfiguration"],
  x_PML: ["exitsPmlFull"],
  x_INVLPG: ["exitsInvlpg"],
  x_CR3W: ["exitsCr3Write"],
  x_CR3R: ["exitsCr3Read"],
  x_CR0W: ["exitsCr0Write"],
  x_CR4W: ["exitsCr4Write"],
  x_CPUID: ["exitsCpuid"],
  pf_emulate: ["faultsEmulated"],
  pf_guest: ["guestFaultsReflected"],
  pf_fast: ["faultsFast"],
  mmu_pte_write: ["emulatedPteWrites"],
  mmu_flooded: ["shadowPagesFlooded"],
  mmu_shadow_zapped: ["shadowPagesZapped"],
  mmu_recycled: ["shadowPagesRecycled"],
  mmu_cache_miss: ["shadowPagesAllocated"],
  mmu_unsync: ["shadowPagesUnsyncNow"],
  t_unsync_page: ["shadowPagesUnsynced"],
  t_sync_page: ["shadowPagesSynced"],
  t_get_page_existing: ["shadowPagesFound"],
  pages_4k: ["leafEntries4kNow"],
  pages_2m: ["leafEntries2mNow"],
  h_dirty_pages: ["dirtyPagesReported"],
  // Which of the two a fault is depends on D bits of code pages that no trace mentions.
  "pf_fixed+pf_spurious": ["faultsFixed", "faultsSpurious"],
};

/** Measured, but differing between kernels for reasons that are not exits. */
const notCompared: ReadonlySet<string> = new Set(["tlb_flush", "remote_tlb_flush_requests"]);

/** The name under which a row is compared, or null when it is not. */
export function comparedAs(counter: string): string | null {
  if (counter === "pf_fixed" || counter === "pf_spurious") return "pf_fixed+pf_spurious";
  return notCompared.has(counter) ? null : counter;
}

/** Counts of one phase, over all vCPUs and by vCPU. */
export interface PhaseCounts {
  readonly name: string;
  readonly all: Readonly<Ledger>;
  readonly byVcpu: readonly Readonly<Ledger>[];
  /** What no ledger has: seen from outside, over all vCPUs. */
  readonly seen: SeenCounts;
}

/** Our value for a name, or undefined if we have no such counter. `v1.x_PF` is vCPU 1's share of `x_PF`. */
export function valueOf(counter: string, { all, byVcpu, seen }: PhaseCounts): number | undefined {
  const own: Readonly<Record<string, number>> = seen;
  if (own[counter] !== undefined) return own[counter];
  const [, vcpu, name = counter] = /^v(\d+)\.(.+)$/.exec(counter) ?? [];
  const ledger = vcpu === undefined ? all : byVcpu[Number(vcpu)];
  if (ledger === undefined) return undefined;
  // Interrupts, and the port by which the guest ended its phase, are left out.
  if (name === "X_NET") return ledger.exits - ledger.exitsOther;
  return sums[name]?.reduce((sum, one) => sum + ledger[one], 0);
}
