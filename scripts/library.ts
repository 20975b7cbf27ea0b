/**
 * What other programs import: `import { runPoint, engines, price } from "shadewalk"`.
 *
 * Everything is synchronous but reading files, throws `ConfigError` for names and values that cannot be, and gives
 * the same numbers as the command line. docs/library.md has examples, which run in the tests.
 */
import { readCost } from "../bench/costs/cost-file.ts";
import { price as priceCounts, totalCycles } from "../bench/costs/cost.ts";
import { catalogue, describeEngines, describeWorkloads } from "../bench/points/catalogue.ts";
import { pick } from "../bench/input/config-error.ts";
import { type LevelPair, levelsOf } from "../bench/points/levels.ts";
import { type ParamValues, readParams } from "../bench/points/params.ts";
import { runWorkload } from "../bench/points/run-one.ts";
import { showWalk, type ShownWalk } from "../bench/points/show-walk.ts";
import type { Cycles, Ledger, PointKey } from "../bench/results/result.ts";

export { readResults } from "../bench/files/read-results.ts";
export { reprice } from "../bench/costs/price-rows.ts";
export { ConfigError } from "../bench/input/config-error.ts";
export { counterMeanings } from "../bench/results/column-meanings.ts";
export { counterNames, cycleCategories } from "../bench/results/result.ts";
export { differenceOf, isDifferent, type Difference } from "../report/difference.ts";
export type { Cycles, Ledger, PointRow, ResultRows } from "../bench/results/result.ts";

/** Translation schemes: name and title. */
export const engines: Readonly<Record<string, string>> = Object.fromEntries(describeEngines());

export interface WorkloadFacts {
  readonly title: string;
  readonly summary: string;
  /** With their defaults. */
  readonly parameters: ParamValues;
}

/** Guest programs by name. */
export const workloads: Readonly<Record<string, WorkloadFacts>> = Object.fromEntries(
  describeWorkloads().map(([name, { title, summary, defaults }]) => [
    name,
    { title, summary, parameters: defaults },
  ]),
);

/** Processors: name and title. */
export const presets: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(catalogue.presets).map(([name, { title }]) => [name, title]),
);

/** What is left out is as on the command line: skylake-sp, 4 KiB host pages, four levels each, seed 1. */
export interface PointRequest {
  readonly engine: string;
  readonly workload: string;
  /** Those that differ from the defaults. */
  readonly params?: ParamValues;
  readonly preset?: string;
  /** Host page size. */
  readonly backing?: PointKey["backing"];
  readonly levels?: LevelPair;
  readonly seed?: number;
  /** Watch every access with the oracle, which throws at the first illegal one; about 20 times slower. */
  readonly check?: boolean;
}

export interface Point {
  /** The measured region, and what came before it: boot, mapping, warm-up. */
  readonly counters: Readonly<Ledger>;
  readonly setup: Readonly<Ledger>;
  /** Walks by number of references: entry n counts the walks that took n. */
  readonly walkLengths: readonly number[];
  /** Of the measured region, priced by the preset's cost file. */
  readonly cycles: Cycles;
  readonly cyclesTotal: number;
  /** Guest cycles per `computeOps`, which `price` takes. */
  readonly computeCyclesPerOp: number;
  /** Sum of all translated frames modulo 2^32. */
  readonly checksum: number;
  /** Accesses that the oracle saw. */
  readonly checked: number;
}

/** Runs one guest program under one scheme. The same request gives the same numbers on any machine. */
export function runPoint(request: PointRequest): Point {
  const { engine, workload, params = {}, seed = 1, check = false } = request;
  const { preset = "skylake-sp", backing = "4k", levels = "4-on-4" } = request;
  const source = pick(catalogue.workloads, workload, "workload");
  const given = Object.entries(params).map(([name, value]) => `${name}=${value}`);
  const program = { workload, params: readParams(source, given) };
  const host = { backing, seed, levels };
  const outcome = runWorkload({ engine, preset, check, program, ...host });
  const [setup, measured] = outcome.sections;
  if (setup === undefined || measured === undefined)
    throw new Error("library: a region is missing");
  return {
    counters: measured.ledger,
    setup: setup.ledger,
    walkLengths: measured.walkLengths,
    cycles: measured.cycles,
    cyclesTotal: measured.cyclesTotal,
    computeCyclesPerOp: source.computeCycles.perOp,
    checksum: outcome.checksum,
    checked: outcome.checked,
  };
}

/** Prices counters by a cost file: a name such as `nehalem`, or the path of your own. */
export function price(
  { counters, computeCyclesPerOp }: Pick<Point, "counters" | "computeCyclesPerOp">,
  cost: string,
): { readonly cycles: Cycles; readonly cyclesTotal: number } {
  const cycles = priceCounts(counters, computeCyclesPerOp, readCost(cost));
  return { cycles, cyclesTotal: totalCycles(cycles) };
}

export type WalkRequest = Pick<PointRequest, "preset" | "backing" | "levels"> & {
  readonly engine: string;
  /** Guest-virtual address, hexadecimal and canonical. */
  readonly gva: string;
  /** Guest page size. */
  readonly pages?: "4k" | "2m";
};

/** Every reference of one page walk with cold caches. */
export function walk(request: WalkRequest): ShownWalk {
  const { engine, gva, pages = "4k" } = request;
  const { preset = "textbook", backing = "4k", levels = "4-on-4" } = request;
  return showWalk({ gva, engine, preset, ...levelsOf(levels), pages, backing });
}
