/**
 * Counts that the measurement took by address or by an exit's details: seen from outside, between silicon and engine.
 *
 * Source: the counter table of results/groundtruth/intel/README.md. Its guest lays memory out so: data from 16 MiB, the
 * pool of its page tables from 4 MiB, tables of the kernel's from 2 MiB, code and stack below.
 */
import type { Gfn } from "../../machine/address.ts";
import { entriesPerTable } from "../../machine/address.ts";
import { frameOf } from "../../machine/formats/x86-entry.ts";
import type { VmExit } from "../../machine/exits.ts";
import type { Vcpu } from "../../machine/vcpu.ts";

/** First frame of each class, highest first. */
const classes = [
  ["data", 0x1000],
  ["pool", 0x400],
  ["kpt", 0x200],
  ["low", 0],
] as const;
type FrameClass = (typeof classes)[number][0];

export type SeenCounts = {
  /** EPT violations in a walk of the guest's tables, and those of an entry that is there. */
  x_EPTV_walk: number;
  x_EPTV_present: number;
  /** Entries taken out of PML buffers. */
  k_mark_dirty: number;
} & Record<`k_mark_${FrameClass}` | `h_dirty_${FrameClass}`, number>;

export function noSeenCounts(): SeenCounts {
  return {
    x_EPTV_walk: 0,
    x_EPTV_present: 0,
    k_mark_dirty: 0,
    k_mark_data: 0,
    k_mark_pool: 0,
    k_mark_kpt: 0,
    k_mark_low: 0,
    h_dirty_data: 0,
    h_dirty_pool: 0,
    h_dirty_kpt: 0,
    h_dirty_low: 0,
  };
}

/** Call before the engine answers: it empties the vCPU's buffer. */
export function seeExit(counts: SeenCounts, exit: VmExit, vcpu: Vcpu): void {
  if (exit.reason === "ept-violation") {
    if (exit.duringWalk) counts.x_EPTV_walk += 1;
    if (exit.isPresent) counts.x_EPTV_present += 1;
  }
  const { pml } = vcpu.controls;
  if (pml === null) return;
  for (let at = entriesPerTable - 1; at > vcpu.mmu.pmlIndex(); at--) {
    const gfn = frameOf(vcpu.memory.readLow(pml, at), vcpu.memory.readHigh(pml, at));
    counts.k_mark_dirty += 1;
    counts[`k_mark_${classOf(gfn)}`] += 1;
  }
}

export function seeReport(counts: SeenCounts, reported: readonly Gfn[]): void {
  for (const gfn of reported) counts[`h_dirty_${classOf(gfn)}`] += 1;
}

function classOf(gfn: number): FrameClass {
  return classes.find(([, first]) => gfn >= first)?.[0] ?? "low";
}
