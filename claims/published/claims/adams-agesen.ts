/**
 * Software against hardware virtualization, 2006: process creation and single PTE writes under a shadow
 * that traps every write, on the two processors measured there.
 */
import { compile } from "../../../workloads/compile.ts";
import { forkwait } from "../../../workloads/forkwait.ts";
import { syscalls } from "../../../workloads/syscalls.ts";
import type { Vpn } from "../../../machine/address.ts";
import { totalCycles } from "../../../bench/costs/cost.ts";
import type { Claim } from "../claim.ts";
import type { HostName } from "../../../bench/points/boot-machine.ts";
import type { Stage } from "../stage.ts";
import { type Entry, type TableBench, tableBench } from "../../../bench/speed/table-bench.ts";

/** A kernel of 2006 has neither KPTI nor PCID. */
const old = { kpti: 0, pcid: 0 } as const;

/**
 * Pages of the forking process, which the paper does not say: those that give its ratio of 17.7 on the Pentium 4
 * (AA06-040, which is calibration). The Core 2 is predicted with them.
 */
const forkwaitPages = 364;

function slowdown(stage: Stage, host: HostName, program: "forkwait" | "compile"): number {
  if (program === "forkwait") {
    const scene = {
      program: forkwait,
      params: { ...old, forks: 60, pages: forkwaitPages },
      host,
    } as const;
    return stage.ratio({ ...scene, engine: "shadow" }, { ...scene, engine: "native" });
  }
  const scene = { program: compile, params: { ...old, jobs: 4 }, host } as const;
  return stage.ratio({ ...scene, engine: "shadow" }, { ...scene, engine: "native" });
}

const pages = 400;

interface PerOperation {
  readonly cycles: number;
  readonly exits: number;
}

/** What one `body` costs under `shadow` on the Pentium 4. */
function perPage(stage: Stage, bench: TableBench, body: (vpn: Vpn) => void): PerOperation {
  const counts = bench.during(() => {
    for (let page = 0; page < pages; page++) body((bench.base + page) as Vpn);
  });
  const cycles = totalCycles(stage.price(counts, "p4-vtx"));
  return { cycles: cycles / pages, exits: counts.exits / pages };
}

function rewritten(stage: Stage): PerOperation {
  const bench = tableBench("shadow", "p4-vtx");
  return perPage(stage, bench, (vpn) => bench.rewrite(vpn, 1));
}

function cleared(stage: Stage): PerOperation {
  const bench = tableBench("shadow", "p4-vtx");
  return perPage(stage, bench, (vpn) => bench.clear(vpn));
}

function restored(stage: Stage): PerOperation {
  const bench = tableBench("shadow", "p4-vtx");
  const before = new Map<Vpn, Entry>();
  perPage(stage, bench, (vpn) => {
    before.set(vpn, bench.entryOf(vpn, 1));
    bench.clear(vpn);
  });
  return perPage(stage, bench, (vpn) => {
    const entry = before.get(vpn);
    if (entry !== undefined) bench.store(vpn, 1, entry);
  });
}

/** Reads of pages that the guest maps nowhere; its handler skips the instruction. */
function faulted(stage: Stage): PerOperation {
  const bench = tableBench("shadow", "p4-vtx");
  perPage(stage, bench, (vpn) => bench.clear(vpn));
  bench.vcpu.software = { pageFault: () => "abandon" };
  bench.vcpu.invlpg(bench.base);
  return perPage(stage, bench, (vpn) => bench.vcpu.read(vpn));
}

const threePaths =
  "tested: one price for dropping an entry and one for filling it cannot give all three transitions (dropping would cost -4,300 cycles), so theirs are three paths of their own";
const shadowMiss =
  "the cost file prices entry, exit and ten control-block reads (4340 + 1780); emulation of the store is assumed";

export const adamsAgesen: readonly Claim[] = [
  {
    name: "forkwait Core 2, shadow / native",
    class: "c",
    published: "AA06-041",
    rows: ["AA06-031", "AA06-033"],
    compare: { kind: "measured" },
    unit: "x",
    how: "forkwait, image of as many pages as fit the Pentium 4's ratio, p4-vtx machine, core2 prices: cycles under shadow / native",
    simulate: (stage) => slowdown(stage, "core2", "forkwait"),
  },
  {
    name: "kernel compile P4, shadow / native",
    class: "c",
    published: "AA06-036 / AA06-034",
    compare: { kind: "measured" },
    unit: "x",
    how: "compile, p4-vtx machine and prices: cycles under shadow / native",
    simulate: (stage) => slowdown(stage, "p4-vtx", "compile"),
    missedBecause:
      "tested: on a host that has backed nothing yet 1.37 (-25 %); the program is the compiler alone, without make's and the shell's denser faults",
  },
  {
    name: "kernel compile Core 2, shadow / native",
    class: "c",
    published: "AA06-039 / AA06-037",
    compare: { kind: "measured" },
    unit: "x",
    how: "compile, p4-vtx machine, core2 prices: cycles under shadow / native",
    simulate: (stage) => slowdown(stage, "core2", "compile"),
  },
  {
    name: "syscall under shadow",
    class: "c",
    published: "AA06-003",
    compare: { kind: "measured" },
    unit: "cycles",
    how: "getpid loop without KPTI, shadow, p4-vtx: kernel cycles / calls",
    simulate: (stage) => {
      const params = { ...old, calls: 2000, pages: 1, accessesPerCall: 1 };
      const run = stage.run({ program: syscalls, params, engine: "shadow", host: "p4-vtx" });
      return (run.total - run.cycles.guestCompute - run.cycles.guestAccess) / params.calls;
    },
    note: "the native 242 cycles (AA06-001) are a price; that virtualization adds next to nothing is predicted",
  },
  {
    name: "traced PTE write, exits",
    class: "b",
    published: "1",
    rows: ["AA06-021"],
    compare: { kind: "equal" },
    unit: "exits per store",
    how: "shadow: rewrite of present leaf entries, exits / stores",
    simulate: (stage) => rewritten(stage).exits,
  },
  {
    name: "PTE rewritten unchanged",
    class: "c",
    published: "AA06-021",
    compare: { kind: "measured" },
    unit: "cycles",
    how: "shadow, p4-vtx: cycles per rewrite of a present leaf entry",
    simulate: (stage) => rewritten(stage).cycles,
    note: shadowMiss,
  },
  {
    name: "PTE present to not-present",
    class: "c",
    published: "AA06-024",
    compare: { kind: "measured" },
    unit: "cycles",
    how: "shadow, p4-vtx: cycles per clearing of a present leaf entry",
    simulate: (stage) => cleared(stage).cycles,
    missedBecause: threePaths,
  },
  {
    name: "PTE not-present to present",
    class: "c",
    published: "AA06-027",
    compare: { kind: "measured" },
    unit: "cycles",
    how: "shadow, p4-vtx: cycles per store of a present entry where there was none",
    simulate: (stage) => restored(stage).cycles,
    missedBecause: threePaths,
  },
  {
    name: "true page fault under shadow",
    class: "c",
    published: "AA06-015",
    compare: { kind: "measured" },
    unit: "cycles",
    how: "shadow, p4-vtx: cycles per read of a page that the guest does not map; its handler skips the read",
    simulate: (stage) => faulted(stage).cycles,
    note: "the native delivery (AA06-013) is a price; what the exit and its answer add is predicted",
  },
];
