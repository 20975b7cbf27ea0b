/**
 * Rules of dirty logging and of lazy shadow tables, each counted from a run (class b).
 */
import type { Gfn, Vpn } from "../../../machine/address.ts";
import { hotWrite } from "../../../workloads/hot-write.ts";
import type { Claim } from "../claim.ts";
import { cyclesPerPage, firstPass } from "../programs/first-pass.ts";
import type { Outcome, Stage } from "../stage.ts";
import { mmuLock } from "./mmu-lock.ts";
import { tableBench } from "../../../bench/speed/table-bench.ts";

/** One epoch: every page of the log is newly dirty once. */
function epoch(stage: Stage, engine: "ept-wp" | "ept-pml"): Outcome {
  const params = { pages: 6000, hotPercent: 50, logRounds: 1, accesses: 40_000 };
  return stage.run({ program: hotWrite, params, engine, host: "skylake-sp" });
}

/** Pages written, one after the other, until the buffer is full for the first time. */
function appendsUntilFull(): number {
  const bench = tableBench("ept-pml", "skylake-sp");
  bench.guest.host({ kind: "dirty-log-on", start: 0 as Gfn, frames: 2 ** 32 });
  let appended = 0;
  for (let page = 0; page < 1024; page++) {
    const counts = bench.during(() => bench.vcpu.write((bench.base + page) as Vpn));
    if (counts.exitsPmlFull > 0) return appended;
    appended += counts.pmlAppends;
  }
  return Number.POSITIVE_INFINITY;
}

/** Stores to one entry of a level-2 table, one after the other, until its shadow is given up. */
function storesUntilZapped(): number {
  const bench = tableBench("kvm-6.12", "skylake-sp");
  for (let stores = 1; stores <= 16; stores++) {
    const counts = bench.during(() => bench.rewrite(bench.base, 2));
    if (counts.shadowPagesFlooded > 0) return stores;
  }
  return Number.POSITIVE_INFINITY;
}

/** Exits of many stores to one leaf table between two syncs. */
function exitsOfLeafStores(): number {
  const bench = tableBench("kvm-6.12", "skylake-sp");
  return bench.during(() => {
    for (let page = 0; page < 200; page++) bench.rewrite((bench.base + page) as Vpn, 1);
  }).exits;
}

/** Leaf tables that are out of sync after a CR3 load. */
function unsyncedAfterCr3(): number {
  const bench = tableBench("kvm-6.12", "skylake-sp");
  return bench.during(() => {
    for (let table = 0; table < 8; table++) bench.rewrite((bench.base + table * 512) as Vpn, 1);
    const { cr3 } = bench.vcpu;
    bench.vcpu.writeCr3(cr3.root, cr3.pcid, false);
  }).shadowPagesUnsyncNow;
}

/** Exits of one page made read-only. */
function exitsOfProtect(): number {
  const bench = tableBench("shadow", "skylake-sp");
  const { counted } = bench;
  const before = counted().exits;
  bench.guest.protect(bench.base, 1, "read");
  return counted().exits - before;
}

const splitting = [
  { writePercent: 100, id: "DS22-005" },
  { writePercent: 5, id: "DS22-001" },
] as const;
const firstPasses: readonly Claim[] = splitting.flatMap(({ writePercent, id }): Claim[] => [
  {
    name: `first dirty pass, ${writePercent}% writes, split on fault`,
    class: "c",
    published: `${id}[2] * ${(100 * cyclesPerPage) / writePercent}`,
    compare: { kind: "measured" },
    unit: "cycles per written page",
    how: `dirty_log_perf_test -v 2 -b 128M, ${writePercent}% writes, ept-pml-lazy on 2M: cycles of the first pass / pages written`,
    simulate: () => firstPass(writePercent, "when-written").cycles,
    note: "2.6 GHz and 1 GiB a vCPU, the test's default, are assumed",
  },
  {
    name: `first dirty pass, ${writePercent}% writes, split on fault / all at first`,
    class: "c",
    published: `${id}[2] / ${id}[3]`,
    compare: { kind: "same side" },
    unit: "x of time",
    how: `the same, ept-pml-lazy / ept-pml`,
    simulate: () =>
      firstPass(writePercent, "when-written").cycles / firstPass(writePercent, "first").cycles,
  },
]);

const exact = { class: "b", compare: { kind: "equal" } } as const;

export const dirtyAndSync: readonly Claim[] = [
  ...firstPasses,
  ...mmuLock,
  {
    ...exact,
    name: "dirty log by write protection",
    published: "1",
    rows: ["PL15-002"],
    unit: "exits per newly dirty page",
    how: "ept-wp, one epoch of hot-write: EPT violations / pages reported",
    simulate: (stage) => {
      const { ledger } = epoch(stage, "ept-wp");
      return ledger.exitsEptViolation / ledger.dirtyPagesReported;
    },
  },
  {
    name: "dirty log by PML",
    class: "b",
    published: "512",
    rows: ["PL15-002"],
    compare: { kind: "at least" },
    unit: "newly dirty pages per exit",
    how: "ept-pml, one epoch of hot-write: pages reported / PML-full exits, at least 512 for floor(N / 512)",
    simulate: (stage) => {
      const { ledger } = epoch(stage, "ept-pml");
      return ledger.dirtyPagesReported / ledger.exitsPmlFull;
    },
  },
  {
    ...exact,
    name: "PML buffer",
    published: "PL15-001",
    unit: "entries",
    how: "ept-pml: entries appended before the first PML-full exit",
    simulate: appendsUntilFull,
  },
  {
    ...exact,
    name: "PML drains",
    published: "1",
    rows: ["PL15-003"],
    unit: "drains per exit",
    how: "ept-pml, one epoch of hot-write: drains of the buffer / (exits + the collection)",
    simulate: (stage) => {
      const { ledger } = epoch(stage, "ept-pml");
      return ledger.pmlDrains / (ledger.exits + 1);
    },
  },
  {
    ...exact,
    name: "KVM write flooding",
    published: "KV-003",
    unit: "stores",
    how: "kvm-6.12: stores to one level-2 guest table until its shadow page is unmapped",
    simulate: storesUntilZapped,
  },
  {
    ...exact,
    name: "KVM leaf table, exits per sync",
    published: "1",
    rows: ["KV-001"],
    unit: "exits",
    how: "kvm-6.12: exits of 200 stores to one leaf table",
    simulate: exitsOfLeafStores,
  },
  {
    ...exact,
    name: "KVM unsynced after CR3 load",
    published: "0",
    rows: ["KV-002"],
    unit: "tables",
    how: "kvm-6.12: leaf tables out of sync after 8 were written and CR3 was loaded",
    simulate: unsyncedAfterCr3,
  },
  {
    name: "page made copy-on-write, traps",
    class: "b",
    published: "AG16-168",
    compare: { kind: "at least" },
    unit: "exits per page",
    how: "shadow: exits of one page's protection by mprotect without KPTI (PTE store and INVLPG)",
    simulate: exitsOfProtect,
  },
];
