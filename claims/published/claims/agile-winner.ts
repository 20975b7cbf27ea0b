/**
 * Nested or shadow: which is faster for each workload of Agile Paging's figure 5, at 4K and at 2M pages.
 *
 * Each of their programs is represented by ours of the same kind; a claim is met when the same technique
 * wins. Bars were read from a figure, +-0.5 to +-1 points.
 */
import { geometricMean } from "../../../bench/results/figures.ts";
import { workloads } from "../../../workloads/index.ts";
import type { Workload } from "../../../workloads/workload.ts";
import type { EngineName } from "../../../engines/index.ts";
import type { Engine } from "../../../hypervisor/engine.ts";
import { type PageSize, type Stand, stands } from "../../stands.ts";
import { type Claim, idOf } from "../claim.ts";
import { readPublishedFacts } from "../published-rows.ts";
import { ranksNothing } from "../reading-error.ts";
import type { Outcome, Stage } from "../stage.ts";

const host = "nehalem";

interface StandRun {
  readonly engine: EngineName | Engine;
  readonly size: PageSize;
  /** How many times as long as usual. */
  readonly times?: number;
}

export function runStand(
  stage: Stage,
  stand: Stand,
  { engine, size, times = 1 }: StandRun,
): Outcome {
  const usual: Workload = workloads[stand.workload];
  const program = stand.altered?.(usual) ?? usual;
  const params = stand.params(size, times);
  return stage.run({ program, params, engine, host, backing: size });
}

/** First row of each series of eight bars. */
const firstRow = {
  "4k": { native: 47, nested: 55, shadow: 63 },
  "2m": { native: 79, nested: 87, shadow: 95 },
} as const;

function row(size: PageSize, series: "native" | "nested" | "shadow", place: number): string {
  return idOf("AG16", firstRow[size][series] + place);
}

function nestedOverShadow(stage: Stage, stand: Stand, size: PageSize): number {
  const total = (engine: EngineName) => runStand(stage, stand, { engine, size }).total;
  return total("ept") / total("shadow-lazy");
}

/** Run times are 100 % and the overhead over a machine without walks and traps. */
function publishedRatio(size: PageSize, place: number): string {
  return `(100 + ${row(size, "nested", place)}) / (100 + ${row(size, "shadow", place)})`;
}

function winners(size: PageSize): readonly Claim[] {
  const pairs = stands.map((stand, place) => ({ stand, place }));
  const facts = readPublishedFacts();
  const apart = pairs.filter(({ place }) => !ranksNothing(publishedRatio(size, place), facts));
  return apart.map(({ stand, place }) => ({
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
function overhead(stage: Stage, stand: Stand, engine: EngineName, size: PageSize): number {
  const native = runStand(stage, stand, { engine: "native", size });
  const ideal = native.total - native.cycles.walkGuest;
  return (runStand(stage, stand, { engine, size }).total - ideal) / ideal;
}

/** Geometric mean over some of the eight workloads of an engine's overhead over native's. */
export function overheadRatio(
  stage: Stage,
  engine: "ept" | "shadow-lazy",
  some: readonly Stand[] = stands,
): number {
  return geometricMean(
    some.map(
      (stand) => overhead(stage, stand, engine, "4k") / overhead(stage, stand, "native", "4k"),
    ),
  );
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
