/**
 * The contract of a workload: a guest program, seeded, the same calls under every engine.
 *
 * Model: what a program computes between its accesses is one number of cycles per op, mostly assumed. Bias: both
 * slowdowns shrink as it grows, who wins does not depend on it; the answer shows 0.3, 1 and 3 times of it.
 */
import type { Guest } from "../guest/guest.ts";
import type { KernelOptions } from "../guest/options.ts";
import type { Prng } from "../guest/prng.ts";

/** Parameters of a workload: numbers and words only, so that a sweep file and a CSV can hold them. */
export type WorkloadParams = Readonly<Record<string, number | string>>;

export interface Workload<P extends WorkloadParams = WorkloadParams> {
  readonly title: string;
  /** What stands for what: the program in the world that this imitates, and what decides its cost. */
  readonly summary: string;
  readonly defaults: P;
  /** Guest cycles that one `Guest.compute()` op stands for, and where the number comes from or `assumed`. */
  readonly computeCycles: { readonly perOp: number; readonly source: string };
  /** Guest-physical memory that the program needs, in 4 KiB frames, page tables and kernel included. */
  guestFrames(params: P): number;
  /** How the guest kernel is configured for this program, where it is not `kernelDefaults`. */
  guestOptions(params: P): Partial<KernelOptions>;
  /** The program. Calls `guest.measure()` once where set-up ends; storms call it first. */
  run(guest: Guest, params: P, prng: Prng): void;
}

/** A workload whose results must not be read without this remark; charts and tables show it. */
export interface Labelled {
  readonly label: string;
}
