/**
 * The programs that several experiments look at.
 */
import { describeWorkloads, isRecorded, isSystem } from "../../bench/points/catalogue.ts";
import type { WhyPoint } from "./plan.ts";

type Program = Omit<WhyPoint, "engine">;

/**
 * A program is what its workload's defaults say, as in the sweeps and the README: a warm host, a kernel that does not
 * isolate its tables. Experiments that ask for KPTI say so in every name.
 */
export const programs = {
  gups: { workload: "gups", params: {} },
  zipf: { workload: "zipf", params: {} },
  btree: { workload: "btree", params: {} },
  keyValue: { workload: "key-value", params: {} },
  boot: { workload: "boot", params: {} },
  compile: { workload: "compile", params: {} },
  forkwait: { workload: "forkwait", params: {} },
  cowSnapshot: { workload: "cow-snapshot", params: {} },
  mmapChurn: { workload: "mmap-churn", params: {} },
  mprotectGc: { workload: "mprotect-gc", params: {} },
  contextSwitch: { workload: "context-switch", params: {} },
  syscalls: { workload: "syscalls", params: {} },
} as const satisfies Record<string, Program>;

/** The same program on a kernel that isolates its tables: each way into it and out reads and writes CR3. */
export function isolated<P extends Program>(program: P): P & Program {
  return { ...program, params: { ...program.params, kpti: 1 } };
}

/** Real programs, as far as recordings of them ship. */
export const recordings: readonly Program[] = describeWorkloads().flatMap(([name, workload]) =>
  isRecorded(workload) && !isSystem(workload) ? [{ workload: name, params: {} }] : [],
);

/** Recorded systems, those that isolate their tables apart: they stand for a program that is there already. */
export const systems = describeWorkloads().flatMap(([name, workload]) =>
  isSystem(workload)
    ? [{ workload: name, params: {}, isIsolated: workload.defaults["kpti"] === 1 }]
    : [],
);

/** Programs that no experiment names but every mean counts. */
const others: readonly Program[] = [
  "sequential",
  "strided",
  "uniform",
  "pointer-chase",
  "demand-storm",
].map((workload) => ({ workload, params: {} }));

/** The headline's programs, as in the default sweep, whose table and page count the same (a test holds them together). */
export const headlinePrograms: readonly Program[] = [
  ...Object.values(programs),
  ...others,
  ...recordings,
  ...systems
    .filter(({ isIsolated }) => !isIsolated)
    .map(({ workload, params }) => ({ workload, params })),
];

/** `compile`, `compile KPTI`: what a reader knows it by. */
export function programName({ workload, params }: Pick<Program, "workload" | "params">): string {
  const name = workload.replace(/^trace:/, "");
  return params?.["kpti"] === 1 ? `${name} KPTI` : name;
}
