/**
 * The registry of workloads: one line each, and the only list of them.
 */
import { demandStorm } from "./demand-storm.ts";
import { forkwait } from "./forkwait.ts";
import { sequential } from "./sequential.ts";
import { uniform } from "./uniform.ts";
import type { Workload } from "./workload.ts";

export const workloads = {
  sequential,
  uniform,
  "demand-storm": demandStorm,
  forkwait,
} satisfies Record<string, Workload>;

export type WorkloadName = keyof typeof workloads;
