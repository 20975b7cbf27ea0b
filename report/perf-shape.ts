/**
 * A result in the shape of `perf kvm stat report`, to lay it beside a table from a real machine.
 *
 * Columns, their order and the names of exits are perf's, AMD's on AMD's processors; times are in simulated cycles (`cy`) where perf prints microseconds.
 * As in perf, a time is the hypervisor's work between exit and entry: not the switch, not the caches that
 * the guest lost. Minimum, maximum and spread are over seeds, for a run keeps sums, not single exits.
 *
 * Model: a run counts software work by kind, not by exit. Each kind is spread evenly over the exits that do
 * such work: handlers over all, emulation and host faults over faults, work on tables over memory exits.
 * Bias: none, sums are exact.
 */
import {
  type CycleCategory,
  type ExitCause,
  exitCauses,
  exitNames,
  type PointRow,
  type Vendor,
  vendorOf,
} from "../bench/results/result.ts";
import { arrange } from "./cases.ts";

/** Which exits share the cycles of which kinds of work. */
const shares: readonly {
  readonly work: readonly CycleCategory[];
  readonly causes: readonly ExitCause[];
}[] = [
  { work: ["hypervisorHandlers"], causes: exitCauses },
  { work: ["hypervisorEmulation", "host"], causes: ["PageFault", "EptViolation"] },
  {
    work: ["hypervisorWalks", "hypervisorEntries", "hypervisorTables"],
    causes: ["PageFault", "EptViolation", "Cr3Write", "Invlpg", "Invpcid"],
  },
];

interface Line {
  readonly name: string;
  readonly samples: number;
  readonly cycles: number;
  /** Mean cycles per exit, one for each seed that took such exits. */
  readonly means: readonly number[];
}

/** Of a run, what the table needs. */
export type PricedRun = Pick<PointRow, "counters" | "cycles">;

/** One table per workload and engine that exits at all. */
export function perfShape(points: readonly PointRow[]): string {
  const tables = arrange({ points, walks: [] }).flatMap(({ title, cases }) =>
    cases.flatMap(({ label, series }) =>
      series
        .filter((one) => one.points.some(({ counters }) => counters.exits > 0))
        .map(({ engine, points: runs }) => {
          const preset = runs[0]?.key.preset ?? "";
          return perfTable(`${label}, ${engine}, ${title}`, runs, vendorOf({ preset, engine }));
        }),
    ),
  );
  return tables.length === 0 ? "No VM exits.\n" : tables.join("\n");
}

/** One table; several runs are repetitions of one point. */
export function perfTable(about: string, runs: readonly PricedRun[], vendor: Vendor): string {
  const lines = exitNames[vendor]
    .map(({ name, causes }) => lineOf(name, causes, runs))
    .filter(({ samples }) => samples > 0)
    .toSorted((a, b) => b.samples - a.samples);
  const samples = lines.reduce((sum, line) => sum + line.samples, 0);
  const cycles = lines.reduce((sum, line) => sum + line.cycles, 0);
  const rows = lines.map((line) =>
    [
      line.name.padStart(20),
      String(line.samples).padStart(10),
      percent(line.samples, samples).padStart(9),
      percent(line.cycles, cycles).padStart(9),
      `${Math.min(...line.means).toFixed(0)}cy`.padStart(11),
      `${Math.max(...line.means).toFixed(0)}cy`.padStart(11),
      `${(line.cycles / line.samples).toFixed(0)}cy`.padStart(11),
      `( +-${spread(line.means).toFixed(2).padStart(7)}% )`,
    ].join(" "),
  );
  return [
    `Analyze events for ${about}:`,
    "",
    `${"VM-EXIT".padStart(20)}    Samples  Samples%     Time%    Min Time    Max Time         Avg time`,
    "",
    ...rows,
    "",
    `Total Samples:${samples}, Total events handled time:${cycles.toFixed(0)}cy.`,
    "",
  ].join("\n");
}

function lineOf(name: string, causes: readonly ExitCause[], runs: readonly PricedRun[]): Line {
  const sums = runs.map((run) => ({
    samples: sumOf(causes, (cause) => run.counters[`exits${cause}`]),
    cycles: sumOf(causes, (cause) => softwareCycles(run, cause)),
  }));
  return {
    name,
    samples: sumOf(sums, ({ samples }) => samples),
    cycles: sumOf(sums, ({ cycles }) => cycles),
    means: sums.filter(({ samples }) => samples > 0).map((one) => one.cycles / one.samples),
  };
}

/** This cause's share of the hypervisor's work. */
function softwareCycles({ counters, cycles }: PricedRun, cause: ExitCause): number {
  const exits = counters[`exits${cause}`];
  if (exits === 0) return 0;
  return sumOf(shares, ({ work, causes }) => {
    if (!causes.includes(cause)) return 0;
    const sharers = sumOf(causes, (one) => counters[`exits${one}`]);
    return (sumOf(work, (category) => cycles[category]) * exits) / sharers;
  });
}

/** Standard deviation over the mean, in percent. */
function spread(means: readonly number[]): number {
  const mean = sumOf(means, (value) => value) / means.length;
  const variance = sumOf(means, (value) => (value - mean) ** 2) / Math.max(1, means.length - 1);
  return mean === 0 ? 0 : (100 * Math.sqrt(variance)) / mean;
}

function percent(part: number, whole: number): string {
  return `${(whole === 0 ? 0 : (100 * part) / whole).toFixed(2)}%`;
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0);
}
