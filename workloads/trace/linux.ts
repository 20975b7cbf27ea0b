/**
 * Real Linux guests that ship as recordings: one line each, and the only list of them.
 *
 * Most files are the ground truth's own (`results/groundtruth/linux` says how they were recorded), so what runs here under
 * every engine is what `npm run validate` holds to KVM's counts. Those in `recordings` come from `npm run record-system`
 * (their README has the commands). `-kpti`: the kernel isolates its page tables.
 */
import { systemWorkload, type SystemWorkload } from "./system-workload.ts";

const traces = "../../results/groundtruth/linux/6.1/traces";

const underKvm = "real Linux: recorded under KVM, one vCPU, no PCID";
const emulated = "real Linux: recorded in an emulator, one vCPU, no PCID";

export const linuxWorkloads = {
  "linux:fork": systemWorkload({
    title: "Linux: fork, exit and wait",
    summary: "A loop of forks, then with a heap of which the child writes a quarter.",
    path: `${traces}/nopti-fork.trace.zst`,
    label: underKvm,
    kpti: 0,
    warmOps: 235_193,
    ops: 913_495,
    others: [
      { interrupt: 5, io: 105 },
      { interrupt: 12, io: 177 },
    ],
  }),
  "linux:fork-kpti": systemWorkload({
    title: "Linux: the same forks with KPTI",
    summary:
      "The kernel isolates its tables, without PCID: two CR3 writes and two reads a system call.",
    path: `${traces}/pti_icount-fork.trace.zst`,
    label: underKvm,
    kpti: 1,
    warmOps: 250_405,
    ops: 972_619,
    others: [
      { interrupt: 8, io: 169 },
      { interrupt: 18, io: 529 },
    ],
  }),
  "linux:shell": systemWorkload({
    title: "Linux: a shell at work",
    summary: "Loops of short programs, pipelines, find, xargs, sed and grep: exec after exec.",
    path: `${traces}/nopti-shell.trace.zst`,
    label: underKvm,
    kpti: 0,
    warmOps: 1_643_626,
    ops: 4_418_088,
    others: [
      { interrupt: 27, io: 449 },
      { interrupt: 33, io: 417 },
      { interrupt: 22, io: 321 },
    ],
  }),
  "linux:shell-kpti": systemWorkload({
    title: "Linux: a shell at work, with KPTI",
    summary: "Short programs in a loop; then pipelines, cp, sed, find, xargs and grep.",
    path: "recordings/shell-kpti.trace.zst",
    label: emulated,
    kpti: 1,
    warmOps: 642_783,
    ops: 1_636_784,
    others: [],
  }),
  "linux:cc1": systemWorkload({
    title: "Linux: the C compiler",
    summary: "Debian's gcc 12 on a small file at -O1, then at -O2.",
    path: `${traces}/nopti-cc1.trace.zst`,
    label: underKvm,
    kpti: 0,
    warmOps: 1_397_941,
    ops: 2_793_756,
    others: [
      { interrupt: 29, io: 233 },
      { interrupt: 26, io: 193 },
    ],
  }),
  "linux:cc1-kpti": systemWorkload({
    title: "Linux: the C compiler with KPTI",
    summary: "gcc 12's cc1 on one function, at -O1, then at -O2.",
    path: "recordings/cc1-kpti.trace.zst",
    label: emulated,
    kpti: 1,
    warmOps: 1_842_559,
    ops: 3_809_085,
    others: [],
  }),
  "linux:perl": systemWorkload({
    title: "Linux: perl",
    summary: "A script with hashes, sorting and regular expressions, then a one-liner.",
    path: `${traces}/nopti-perl.trace.zst`,
    label: underKvm,
    kpti: 0,
    warmOps: 750_542,
    ops: 980_510,
    others: [
      { interrupt: 22, io: 137 },
      { interrupt: 6, io: 41 },
    ],
  }),
  "linux:perl-kpti": systemWorkload({
    title: "Linux: perl with KPTI",
    summary: "Hashes, sorting and regular expressions, then a one-liner.",
    path: "recordings/perl-kpti.trace.zst",
    label: emulated,
    kpti: 1,
    warmOps: 806_874,
    ops: 1_147_011,
    others: [],
  }),
  "linux:mmap": systemWorkload({
    title: "Linux: mmap, munmap and mprotect",
    summary: "Regions mapped, touched and unmapped; then made read-only and back.",
    path: `${traces}/nopti-mmap.trace.zst`,
    label: underKvm,
    kpti: 0,
    warmOps: 870_800,
    ops: 1_056_589,
    others: [
      { interrupt: 17, io: 217 },
      { interrupt: 1, io: 41 },
    ],
  }),
  "linux:true": systemWorkload({
    title: "Linux: exec of /bin/true",
    summary: "The smallest program, alone and through a shell.",
    path: `${traces}/nopti-true.trace.zst`,
    label: underKvm,
    kpti: 0,
    warmOps: 51_328,
    ops: 133_193,
    others: [
      { interrupt: 1, io: 33 },
      { interrupt: 4, io: 25 },
    ],
  }),
  "linux:pingpong": systemWorkload({
    title: "Linux: two processes and two pipes",
    summary: "Round trips of a byte: a context switch each way.",
    path: `${traces}/nopti-pingpong.trace.zst`,
    label: underKvm,
    kpti: 0,
    warmOps: 105_000,
    ops: 315_564,
    others: [{ interrupt: 7, io: 73 }],
  }),
  "linux:pingpong-kpti": systemWorkload({
    title: "Linux: the same pipes with KPTI",
    summary: "A context switch and two system calls each way, isolated tables, no PCID.",
    path: `${traces}/pti_icount-pingpong.trace.zst`,
    label: underKvm,
    kpti: 1,
    warmOps: 122_000,
    ops: 366_279,
    others: [{ interrupt: 9, io: 225 }],
  }),
  "linux:syscall": systemWorkload({
    title: "Linux: a thousand getppid",
    summary: "System calls that do nothing.",
    path: `${traces}/nopti-syscall.trace.zst`,
    label: underKvm,
    kpti: 0,
    warmOps: 21_000,
    ops: 63_759,
    others: [{ io: 33 }],
  }),
  "linux:syscall-kpti": systemWorkload({
    title: "Linux: the same system calls with KPTI",
    summary: "Two CR3 writes and two reads each, all exits under shadow paging.",
    path: `${traces}/pti_icount-syscall.trace.zst`,
    label: underKvm,
    kpti: 1,
    warmOps: 31_000,
    ops: 94_780,
    others: [{ interrupt: 2, io: 129 }],
  }),
} satisfies Record<string, SystemWorkload>;
