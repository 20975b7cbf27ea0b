/**
 * The programs that several experiments look at, in sizes that show their shape within a fraction of a second.
 */
import { describeWorkloads, isRecorded } from "../../bench/points/catalogue.ts";
import type { WhyPoint } from "./plan.ts";

type Program = Omit<WhyPoint, "engine">;

/**
 * Kernels since 2018 isolate their tables: KPTI on, PCID used. The virtual machine has been up for a while, so
 * that no frame is new to the host: first use is a cost of both schemes alike and would hide what sets them apart.
 */
export const programs = {
  gups: { workload: "gups", params: { pages: 8192, updateOps: 50_000 } },
  zipf: { workload: "zipf", params: { pages: 16_384, accesses: 100_000 } },
  btree: { workload: "btree", params: { leaves: 8192, lookups: 10_000 } },
  keyValue: { workload: "key-value", params: { pages: 4096, requests: 2000, kpti: 1 } },
  boot: { workload: "boot", params: { services: 6, kpti: 1 } },
  compile: { workload: "compile", params: { jobs: 2, kpti: 1, usedMemory: 1 } },
  forkwait: { workload: "forkwait", params: { forks: 40, kpti: 1 } },
  cowSnapshot: {
    workload: "cow-snapshot",
    params: { pages: 1024, requests: 4000, kpti: 1, usedMemory: 1 },
  },
  mmapChurn: { workload: "mmap-churn", params: { churnOps: 100, kpti: 1 } },
  mprotectGc: {
    workload: "mprotect-gc",
    params: { pages: 512, accesses: 5000, collectionRounds: 2, kpti: 1 },
  },
  contextSwitch: { workload: "context-switch", params: { switches: 1000, kpti: 1 } },
  syscalls: { workload: "syscalls", params: { calls: 2000, kpti: 1 } },
} as const satisfies Record<string, Program>;

/** Accesses of a recorded program that are replayed. */
const recordedAccesses = 200_000;

/** Real programs, as far as recordings of them ship. */
export const recordings: readonly Program[] = describeWorkloads().flatMap(([name, workload]) =>
  isRecorded(workload)
    ? [{ workload: name, params: { accesses: recordedAccesses, usedMemory: 1 } }]
    : [],
);

/** `compile`: what a reader knows it by. */
export function programName({ workload }: Pick<Program, "workload">): string {
  return workload.replace(/^trace:/, "");
}
