/**
 * LMbench and the page-touch loop under shadow paging (PVM 2023, tables 3 and 4, figure 4, one process).
 *
 * What is compared is what shadow paging adds to EPT per operation, in cycles. Theirs under EPT is mostly the kernel's
 * own work (files, sockets, signals, zeroing), which has no price here and would hide or fake an error in a ratio.
 */
import { forkwait } from "../../../workloads/forkwait.ts";
import { syscalls } from "../../../workloads/syscalls.ts";
import type { Workload, WorkloadParams } from "../../../workloads/workload.ts";
import type { Claim } from "../claim.ts";
import type { Stage } from "../stage.ts";
import { dearExits } from "./system-calls.ts";
import {
  cyclesPerMicrosecond,
  execProcess,
  filePageFaults,
  pageTouch,
  protectionFaults,
  shellProcess,
  signalReturns,
  smallProgram,
} from "../programs/lmbench.ts";

interface Operation<P extends WorkloadParams> extends Pick<Claim, "note" | "missedBecause"> {
  readonly program: Workload<P>;
  readonly params: P;
  /** Operations of theirs in one run of the program. */
  readonly count: number;
  readonly how: string;
}

function addedCycles<P extends WorkloadParams>(
  name: string,
  published: string,
  { program, params, count, how, ...notes }: Operation<P>,
): Claim {
  const scene = { program, params: params as Partial<P>, host: "cascade-lake" } as const;
  return {
    name: `${name}, cycles that shadow adds`,
    class: "c",
    published,
    compare: { kind: "measured" },
    unit: "cycles per operation",
    how: `${how}: (cycles under shadow-lazy - ept) / operations`,
    simulate: (stage) =>
      (stage.run({ ...scene, engine: "shadow-lazy" }).total -
        stage.run({ ...scene, engine: "ept" }).total) /
      count,
    ...notes,
  };
}

function ofRow(id: string): string {
  return `(${id}[2] - ${id}[1]) * ${cyclesPerMicrosecond}`;
}

const calls = 5000;
const getpid = { ...syscalls.defaults, calls, pages: 1, accessesPerCall: 1, kpti: 1 };

/** A test that is one system call to translation, whatever the kernel does in it. */
function ofCalls(name: string, id: string): Claim {
  return addedCycles(`LMbench ${name}`, ofRow(id), {
    program: syscalls,
    params: getpid,
    count: calls,
    how: "getpid loop with KPTI, one system call an operation",
    missedBecause: dearExits,
  });
}

const noTablePrice =
  "tested: with the 24 faults of a real fork and exit the sum is half of theirs, and the price of a shadow page that would close the gap is 119, 194 and 250 thousand cycles for fork, exec and sh, so no one price does; a real Linux's own exec (linux:shell-kpti, 10 times /bin/true, 74 faults each) adds 1.9 million, 29 % below exec, as a real start faults three times as often as the program here";
const forks = 60;
/** Linux 6.18, a dynamic C program: faults of the child from fork to exit; the parent takes two more. */
const childFaults = 22;
const megabytePages = 256;

/** Cycles of a protection fault without the calls around it. */
function faultAlone(stage: Stage, engine: "shadow-lazy" | "ept"): number {
  const scene = { params: protectionFaults.defaults, engine, host: "cascade-lake" } as const;
  const [whole, around] = [protectionFaults, signalReturns].map(
    (program) => stage.run({ ...scene, program }).total,
  );
  return ((whole ?? 0) - (around ?? 0)) / protectionFaults.defaults.faults;
}

export const lmbench: readonly Claim[] = [
  ofCalls("null I/O", "PV23-018"),
  ofCalls("stat", "PV23-019"),
  ofCalls("select TCP", "PV23-021"),
  ofCalls("sig inst", "PV23-022"),
  ofCalls("100fd select", "PV23-033"),
  addedCycles("LMbench fork proc", ofRow("PV23-024"), {
    program: forkwait,
    params: {
      ...forkwait.defaults,
      forks,
      pages: smallProgram,
      childWrites: childFaults,
      kpti: 1,
    },
    count: forks,
    how: "fork, the child takes 22 faults and exits, wait; 256-page image, KPTI",
    missedBecause: noTablePrice,
  }),
  addedCycles("LMbench exec proc", ofRow("PV23-025"), {
    program: execProcess,
    params: execProcess.defaults,
    count: execProcess.defaults.launches,
    how: "fork, exec of a 256-page image, exit; KPTI",
    missedBecause: noTablePrice,
  }),
  addedCycles("LMbench sh proc", ofRow("PV23-026"), {
    program: shellProcess,
    params: shellProcess.defaults,
    count: shellProcess.defaults.launches,
    how: "fork, exec of a shell, which forks and execs; 256-page images, KPTI",
    missedBecause: noTablePrice,
  }),
  addedCycles("LMbench page fault", ofRow("PV23-032"), {
    program: filePageFaults,
    params: filePageFaults.defaults,
    count: filePageFaults.defaults.rounds * filePageFaults.defaults.pages,
    how: "reads of a mapped file in the page cache, KPTI, per page",
    missedBecause:
      "tested: in random order, on 32 MiB, the mapping alone taken off (as lat_pagefault does) 1,027 cycles; 3 #PF exits a fault of 16 pages here, as Linux maps neighbours young; filling and dropping an entry, 90 cycles of assumed price, would have to be 1,000",
  }),
  {
    name: "LMbench prot fault, cycles that shadow adds",
    class: "c",
    published: ofRow("PV23-031"),
    compare: { kind: "measured" },
    unit: "cycles per operation",
    how: "stores to a page mapped read-only whose handler returns, less the return; KPTI: (cycles under shadow-lazy - ept) / faults",
    simulate: (stage) => faultAlone(stage, "shadow-lazy") - faultAlone(stage, "ept"),
    missedBecause: dearExits,
    note: "LMbench takes a signal caught off, less one sent; the stand was mprotect and back once, at 7,987 cycles",
  },
  addedCycles(
    "page-touch loop",
    // 4 GB in 4 KiB pages; seconds.
    `(PV23-035[2] - PV23-035[1]) * 1000000 / 1048576 * ${cyclesPerMicrosecond}`,
    {
      program: pageTouch,
      params: pageTouch.defaults,
      count: pageTouch.defaults.megabytes * megabytePages,
      how: "allocate 1 MB, touch each page, free; KPTI, per page",
    },
  ),
];
