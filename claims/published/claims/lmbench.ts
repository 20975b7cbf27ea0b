/**
 * LMbench under shadow paging over EPT (PVM 2023, tables 3 and 4, one process), as ratios.
 */
import { forkwait } from "../../../workloads/forkwait.ts";
import { syscalls } from "../../../workloads/syscalls.ts";
import type { Workload, WorkloadParams } from "../../../workloads/workload.ts";
import type { Claim } from "../claim.ts";
import {
  execProcess,
  filePageFaults,
  mapAndTouch,
  pageTouch,
  protectionFaults,
  shellProcess,
  smallProgram,
} from "../programs/lmbench.ts";

function shadowOverEpt<P extends WorkloadParams>(
  id: string,
  name: string,
  program: Workload<P>,
  about: { readonly params?: Partial<P>; readonly how: string } & Pick<
    Claim,
    "note" | "missedBecause"
  >,
): Claim {
  const { params = {}, how, ...notes } = about;
  const scene = { program, params: params as Partial<P>, host: "skylake-sp" } as const;
  return {
    name: `${name}, shadow / EPT`,
    class: "c",
    published: `${id}[2] / ${id}[1]`,
    compare: { kind: "measured" },
    unit: "x",
    how: `${how}: cycles under shadow-lazy / ept`,
    simulate: (stage) =>
      stage.ratio({ ...scene, engine: "shadow-lazy" }, { ...scene, engine: "ept" }),
    ...notes,
  };
}

const getpid = { calls: 5000, pages: 1, accessesPerCall: 1, kpti: 1 };

export const lmbench: readonly Claim[] = [
  shadowOverEpt("PV23-018", "LMbench null I/O", syscalls, {
    params: getpid,
    how: "getpid loop with KPTI",
    note: "the kernel's read of /dev/zero is not modelled: the call is an empty one",
  }),
  shadowOverEpt("PV23-022", "LMbench sig inst", syscalls, {
    params: getpid,
    how: "getpid loop with KPTI",
    note: "the kernel's store of the handler's address is not modelled: the call is an empty one",
  }),
  shadowOverEpt("PV23-024", "LMbench fork proc", forkwait, {
    params: { forks: 60, pages: smallProgram, childWrites: 8, kpti: 1 },
    how: "fork, child exits, wait; 256-page image, KPTI",
    missedBecause:
      "85 exits a fork here; theirs costs a million cycles more than under EPT, several hundred exits",
  }),
  shadowOverEpt("PV23-025", "LMbench exec proc", execProcess, {
    how: "fork, exec of a 256-page image, exit; KPTI",
  }),
  shadowOverEpt("PV23-026", "LMbench sh proc", shellProcess, {
    how: "fork, exec of a shell, which forks and execs; 256-page images, KPTI",
    note: "a shell's own work before it forks (0.7 ms under EPT there) has no counterpart here",
  }),
  shadowOverEpt("PV23-032", "LMbench page fault", filePageFaults, {
    how: "reads of a mapped file in the page cache, KPTI",
    missedBecause:
      "a fault maps 16 pages and takes 5 exits here, 17,000 cycles; theirs costs 12.5 us more than under EPT",
  }),
  shadowOverEpt("PV23-031", "LMbench prot fault", protectionFaults, {
    how: "mprotect, store, signal, mprotect in the handler; KPTI",
    note: "the guest's handler always unprotects, so two more system calls stand around each fault",
  }),
  shadowOverEpt("PV23-030", "LMbench mmap", mapAndTouch, {
    how: "map 32 MiB of a file, touch one page in four of the first tenth, unmap; KPTI",
    missedBecause:
      "their 86 ms under EPT are mostly the kernel's work on the file's pages, which has no price here",
  }),
  shadowOverEpt("PV23-035", "page-touch loop", pageTouch, {
    how: "allocate 1 MB, touch each page, free; KPTI",
    missedBecause:
      "their EPT run takes 8,800 cycles per page, ours 2,200: fault path and zeroing are priced lower",
  }),
];
