/**
 * Nested or shadow: which is faster for each workload of Agile Paging's figure 5, at 4K and at 2M pages.
 *
 * Each of their programs is represented by ours of the same kind; a claim is met when the same technique
 * wins. Bars were read from a figure, +-0.5 to +-1 points.
 */
import { btree } from "../../../workloads/btree.ts";
import { compile } from "../../../workloads/compile.ts";
import { keyValue } from "../../../workloads/key-value.ts";
import { mmapChurn } from "../../../workloads/mmap-churn.ts";
import { pointerChase } from "../../../workloads/pointer-chase.ts";
import { uniform } from "../../../workloads/uniform.ts";
import { zipf } from "../../../workloads/zipf.ts";
import type { EngineName } from "../../../engines/index.ts";
import { type Claim, idOf } from "../claim.ts";
import type { Outcome, Stage } from "../stage.ts";

type Size = "4k" | "2m";
const host = "nehalem";
/** 64 MiB with 4K pages, 256 MiB with 2M pages: past what either kind of TLB entry reaches (2 and 64 MiB). */
const pages = { "4k": 16_384, "2m": 65_536 } as const;
const accesses = 150_000;
/** Linux 3.12 has neither KPTI nor PCID. */
const old = { kpti: 0, pcid: 0 } as const;

export interface Stand {
  /** Their program. */
  readonly name: string;
  /** Ours, in words. */
  readonly ours: string;
  /** `times` as long as usual. */
  readonly run: (stage: Stage, engine: EngineName, size: Size, times?: number) => Outcome;
}

/** In the order of the figure, and of its rows' ids. */
export const stands: readonly Stand[] = [
  {
    name: "memcached",
    ours: "key-value",
    run: (stage, engine, size, times = 1) =>
      stage.run({
        program: keyValue,
        params: { ...old, pages: pages[size], requests: 12_000 * times, pageSize: size },
        engine,
        host,
        backing: size,
      }),
  },
  {
    name: "canneal",
    ours: "uniform, 30 % stores",
    run: (stage, engine, size, times = 1) =>
      stage.run({
        program: uniform,
        params: { pages: pages[size], accesses: times * accesses, pageSize: size },
        engine,
        host,
        backing: size,
      }),
  },
  {
    name: "astar",
    ours: "zipf",
    run: (stage, engine, size, times = 1) =>
      stage.run({
        program: zipf,
        params: { pages: pages[size], accesses: times * accesses, pageSize: size },
        engine,
        host,
        backing: size,
      }),
  },
  {
    name: "gcc",
    ours: "compile (its heap has 4K pages in both)",
    run: (stage, engine, size, times = 1) =>
      stage.run({
        program: compile,
        params: { ...old, jobs: 6 * times },
        engine,
        host,
        backing: size,
      }),
  },
  {
    name: "graph500",
    ours: "uniform reads on four times the data",
    run: (stage, engine, size, times = 1) =>
      stage.run({
        program: uniform,
        params: {
          pages: 4 * pages[size],
          accesses: times * accesses,
          writePercent: 0,
          pageSize: size,
        },
        engine,
        host,
        backing: size,
      }),
  },
  {
    name: "mcf",
    ours: "pointer-chase on four times the data",
    run: (stage, engine, size, times = 1) =>
      stage.run({
        program: pointerChase,
        params: { pages: 4 * pages[size], accesses: times * accesses, pageSize: size },
        engine,
        host,
        backing: size,
      }),
  },
  {
    name: "tigr",
    ours: "btree",
    run: (stage, engine, size, times = 1) =>
      stage.run({
        program: btree,
        params: { leaves: pages[size], lookups: 40_000 * times, pageSize: size },
        engine,
        host,
        backing: size,
      }),
  },
  {
    name: "dedup",
    ours: "mmap-churn",
    run: (stage, engine, size, times = 1) =>
      stage.run({
        program: mmapChurn,
        params: { ...old, churnOps: times * (size === "4k" ? 400 : 60), pageSize: size },
        engine,
        host,
        backing: size,
      }),
  },
];

/** First row of each series of eight bars. */
const firstRow = {
  "4k": { native: 47, nested: 55, shadow: 63 },
  "2m": { native: 79, nested: 87, shadow: 95 },
} as const;

function row(size: Size, series: "native" | "nested" | "shadow", place: number): string {
  return idOf("AG16", firstRow[size][series] + place);
}

function nestedOverShadow(stage: Stage, stand: Stand, size: Size): number {
  return stand.run(stage, "ept", size).total / stand.run(stage, "shadow-lazy", size).total;
}

/** Run times are 100 % and the overhead over a machine without walks and traps. */
function publishedRatio(size: Size, place: number): string {
  return `(100 + ${row(size, "nested", place)}) / (100 + ${row(size, "shadow", place)})`;
}

function winners(size: Size): readonly Claim[] {
  return stands.map((stand, place) => ({
    name: `${stand.name} ${size}, nested / shadow`,
    class: "c",
    published: publishedRatio(size, place),
    rows: ["AG16-165"],
    compare: { kind: "same side" },
    unit: "x of run time",
    how: `${stand.ours}, ${size} pages on ${size} pages, nehalem: cycles under ept / shadow-lazy; below 1 nested wins`,
    simulate: (stage) => nestedOverShadow(stage, stand, size),
  }));
}

/** Walks and traps over everything else. */
function overhead(stage: Stage, stand: Stand, engine: EngineName, size: Size): number {
  const native = stand.run(stage, "native", size);
  const ideal = native.total - native.cycles.walkGuest;
  return (stand.run(stage, engine, size).total - ideal) / ideal;
}

/** Geometric mean over the eight workloads of an engine's overhead over native's. */
function overheadRatio(stage: Stage, engine: "ept" | "shadow-lazy"): number {
  const logs = stands.map((stand) =>
    Math.log(overhead(stage, stand, engine, "4k") / overhead(stage, stand, "native", "4k")),
  );
  return Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}

const moreFaults =
  "tested: without key-value, compile and mmap-churn, which change their tables more often than memcached, gcc and dedup, the other five give 1.0 and theirs 1.3; a mean over unlike programs, whose signs are all as published";

const means = (["ept", "shadow-lazy"] as const).map((engine): Claim => {
  const name = engine === "ept" ? "nested" : "shadow";
  return {
    name: `translation overhead 4k, ${name} / native`,
    class: "c",
    published: engine === "ept" ? "AG16-159" : "AG16-160",
    rows: stands.map((_, place) => row("4k", "native", place)),
    compare: { kind: "measured" },
    unit: "x",
    how: `the eight programs, nehalem: geometric mean of (cycles under ${engine} - ideal) / (native - ideal), ideal without walks`,
    simulate: (stage) => overheadRatio(stage, engine),
    ...(engine === "ept" ? {} : { missedBecause: moreFaults }),
  };
});

const agreements = (["4k", "2m"] as const).map((size): Claim => ({
  name: `same winner ${size}, of eight`,
  class: "c",
  published: "8",
  rows: ["AG16-165"],
  compare: { kind: "equal" },
  unit: "workloads",
  how: `the eight programs, ${size} on ${size}: how many are won by the technique that won there`,
  simulate: (stage) => {
    const nestedWins = new Set(["memcached", "gcc", "dedup"]);
    return stands.filter(
      (stand) => nestedOverShadow(stage, stand, size) < 1 === nestedWins.has(stand.name),
    ).length;
  },
}));

export const agileWinner: readonly Claim[] = [
  ...winners("4k"),
  ...winners("2m"),
  ...agreements,
  ...means,
];
