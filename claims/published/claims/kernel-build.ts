/**
 * Kernel builds: EPT over bare metal, and Xen's out-of-sync tables over emulation of every write.
 *
 * One measurement is one claim. docs/linux-guests.md judges both again on a recorded compiler, whose 17 lines of C are
 * no build.
 */
import { compile } from "../../../workloads/compile.ts";
import type { VmExit } from "../../../machine/exits.ts";
import { Prng } from "../../../guest/prng.ts";
import type { Vpn } from "../../../machine/address.ts";
import { bootMachine } from "../../../bench/points/boot-machine.ts";
import type { Claim } from "../claim.ts";
import { tableBench } from "../../../bench/speed/table-bench.ts";

/** Kernels of 2008 to 2011: neither KPTI nor PCID. */
const build = { program: compile, params: { jobs: 6, kpti: 0, pcid: 0 } } as const;

/** Share of emulated table stores that go to the same page as the one before. */
function sameFrameShare(): number {
  const params = { ...compile.defaults, ...build.params };
  let last = -1;
  let same = 0;
  let stores = 0;
  const watch = (exit: VmExit): void => {
    if (exit.reason !== "page-fault" || exit.store === null || exit.store.kind !== "entry") return;
    stores += 1;
    if (exit.vpn === last) same += 1;
    last = exit.vpn;
  };
  const { guest } = bootMachine({
    engine: "shadow",
    host: "nehalem",
    guestFrames: compile.guestFrames(params),
    kernel: compile.guestOptions(params),
    watch,
  });
  compile.run(guest, params, new Prng(1));
  guest.measure();
  return (100 * same) / stores;
}

/** Out-of-sync tables after stores to eight leaf tables. */
function unsyncedUnderXen(): number {
  const bench = tableBench("xen", "core2");
  return bench.during(() => {
    for (let table = 0; table < 8; table++) bench.rewrite((bench.base + table * 512) as Vpn, 1);
  }).shadowPagesUnsyncNow;
}

/** Neighbours that one shadow fault fills, where all are present in the guest and none in the shadow. */
function filledByOneFault(): number {
  const bench = tableBench("xen", "core2");
  const pages = Array.from({ length: 64 }, (_, page) => (bench.base + page) as Vpn);
  const entries = pages.map((vpn) => bench.entryOf(vpn, 1));
  bench.during(() => {
    for (const vpn of pages) bench.clear(vpn);
    const { cr3 } = bench.vcpu;
    bench.vcpu.writeCr3(cr3.root, cr3.pcid, false);
    entries.forEach((entry, page) => bench.store((bench.base + page) as Vpn, 1, entry));
  });
  return bench.during(() => bench.vcpu.read(bench.base)).entriesPrefetched;
}

/** Build time under Shadow-3 over Shadow-2; rows give both as min:s. */
function change(id: string): string {
  return `(${id}[3] * 60 + ${id}[4]) / (${id}[1] * 60 + ${id}[2])`;
}

/** Of the six builds measured, PAE on one vCPU gained the most and 64-bit on two the least. */
const sixBuilds = { kind: "between", low: change("XN08-002"), high: change("XN08-006") } as const;

export const kernelBuild: readonly Claim[] = [
  {
    name: "kernbench, EPT / host",
    class: "c",
    published: "TU10-002 / TU10-001",
    compare: { kind: "measured" },
    unit: "x",
    how: "compile on nehalem: cycles under ept / native",
    simulate: (stage) =>
      stage.ratio(
        { ...build, engine: "ept", host: "nehalem" },
        { ...build, engine: "native", host: "nehalem" },
      ),
  },
  {
    name: "Shadow-3 / Shadow-2, 64-bit, 1 vCPU",
    class: "c",
    published: change("XN08-003"),
    compare: sixBuilds,
    unit: "x of build time",
    how: "compile, p4-vtx machine, core2 prices: cycles under xen / shadow; met between the ends of six builds",
    simulate: (stage) =>
      stage.ratio(
        { ...build, engine: "xen", host: "core2" },
        { ...build, engine: "shadow", host: "core2" },
      ),
  },
  {
    name: "Xen, emulated writes to the last frame",
    class: "b",
    published: "XN08-011",
    compare: { kind: "measured" },
    unit: "%",
    how: "compile under shadow: entry stores that exit on the same page as the one before / all of them",
    simulate: sameFrameShare,
  },
  {
    name: "Xen, out-of-sync slots",
    class: "b",
    published: "XN08-007",
    compare: { kind: "equal" },
    unit: "tables",
    how: "xen: tables out of sync after stores to eight leaf tables",
    simulate: unsyncedUnderXen,
  },
  {
    name: "Xen, prefetch",
    class: "b",
    published: "XN08-010",
    compare: { kind: "equal" },
    unit: "entries",
    how: "xen: entries that one shadow fault fills where every neighbour is present",
    simulate: filledByOneFault,
  },
];
