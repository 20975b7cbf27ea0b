/**
 * The result schema: what one point of a sweep yields. `report/` knows this file and nothing else.
 *
 * A point is one (engine, workload, parameters, preset, seed). It gives two rows, one per region: `setup`
 * (boot, mapping, warm-up) and `measured`. Counts come from the run; cycles are priced afterwards, so they
 * are not part of a `PointResult` but of the `PointRow` made from it.
 */
import type { HostPageSize, PagingLevels } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { RegionCounts } from "../../machine/region.ts";
import { exitCauses, type ExitCause, type ExitCounter } from "./exit-names.ts";
import type { MigrationSettings, Round } from "./migration-record.ts";

export { hostPageSizes, pageSizeWords } from "../../machine/address.ts";
export { counterNames, createLedger, type CounterName, type Ledger } from "../../machine/counters.ts";
export {
  exitCauses,
  exitCounters,
  exitNames,
  vendorOf,
  type ExitCause,
  type ExitCounter,
  type Vendor,
} from "./exit-names.ts";

/** Version of the CSV columns and the manifest; raised when a column changes its meaning. */
export const schemaVersion = 1;

export type Region = "setup" | "measured";
export const regions: readonly Region[] = ["setup", "measured"];

export interface PointKey {
  /** Position in the sweep, from 0: the order of rows. */
  readonly id: number;
  readonly engine: string;
  readonly workload: string;
  /** Every parameter of the workload, defaults filled in, keys sorted. */
  readonly params: Readonly<Record<string, number | string>>;
  readonly preset: string;
  /** Host page size behind guest memory. */
  readonly backing: HostPageSize;
  /** Guest page-table levels and nested levels. */
  readonly guestLevels: PagingLevels;
  readonly nestedLevels: PagingLevels;
  readonly seed: number;
}

export interface PointResult {
  readonly key: PointKey;
  readonly regions: Readonly<Record<Region, RegionCounts>>;
  /** Guest cycles per `computeOps`, from the workload's file. */
  readonly computeCyclesPerOp: number;
  /** Sum of all translated frames modulo 2^32. */
  readonly checksum: number;
  /** What a reader must know beside the numbers, such as "user-only: its update rate is a lower bound". */
  readonly label: string;
}

/** Cycles of one region by cause; every category is a column `cycles_<name>`. Filled by pricing. */
export type CycleCategory =
  | "guestCompute"
  | "guestAccess"
  | "guestKernel"
  | "walkGuest"
  | "walkNested"
  | "walkUpdates"
  | `exitDirect${ExitCause}`
  | `exitIndirect${ExitCause}`
  | "hypervisorHandlers"
  | "hypervisorWalks"
  | "hypervisorEntries"
  | "hypervisorTables"
  | "hypervisorEmulation"
  | "hypervisorDirtyLog"
  | "host";
export const cycleCategories: readonly CycleCategory[] = [
  "guestCompute",
  "guestAccess",
  "guestKernel",
  "walkGuest",
  "walkNested",
  "walkUpdates",
  ...exitCauses.map((cause): CycleCategory => `exitDirect${cause}`),
  ...exitCauses.map((cause): CycleCategory => `exitIndirect${cause}`),
  "hypervisorHandlers",
  "hypervisorWalks",
  "hypervisorEntries",
  "hypervisorTables",
  "hypervisorEmulation",
  "hypervisorDirtyLog",
  "host",
];
export type Cycles = Readonly<Record<CycleCategory, number>>;

/** One line of `points.csv`: the counts of one point and region, and what they cost. */
export interface PointRow {
  readonly key: PointKey;
  readonly region: Region;
  readonly label: string;
  readonly checksum: number;
  readonly computeCyclesPerOp: number;
  /** Name of the cost file that priced it. */
  readonly cost: string;
  readonly counters: Readonly<Ledger>;
  /** Whole cycles, so that the columns of a line sum to `cyclesTotal`. */
  readonly cycles: Cycles;
  readonly cyclesTotal: number;
  /** `cyclesTotal` over that of `native` for the same guest program, seed and region; null without one. */
  readonly slowdown: number | null;
}

/** One line of `walks.csv`: how many walks of one point and region took `references` reads. */
export interface WalkRow {
  readonly key: PointKey;
  readonly region: Region;
  readonly references: number;
  readonly walks: number;
}

/** Everything that tables and charts are made of, in the order of point ids. */
export interface ResultRows {
  readonly points: readonly PointRow[];
  readonly walks: readonly WalkRow[];
}

/** The engine that every slowdown is relative to. */
export const baselineEngine = "native";

export type {
  Bars,
  Finding,
  Frontier,
  Sentence,
  Waterfall,
  WrittenAnswer,
  WrittenFinding,
} from "./answer.ts";

/** A point whose guest is migrated while its program runs. */
export interface MigrationKey extends PointKey {
  readonly migration: MigrationSettings;
}

/** `forced`: the program ended while the rule still said no, and was stopped for it. */
export type Verdict = "converged" | "forced" | "moved";

export interface MigrationOutcome {
  readonly verdict: Verdict;
  /** Passes over the dirty pages while the guest ran. */
  readonly rounds: number;
  readonly pagesSent: number;
  readonly pagesResent: number;
  readonly zeroPages: number;
  readonly bytes: number;
  /** The guest stood still for so long. */
  readonly downtimeMs: number;
  /** From the first page to the last. */
  readonly totalMs: number;
  /** Post-copy: pages that the guest had to wait for, and how long it waited for all of them. */
  readonly pagesPulled: number;
  readonly pullWaitMs: number;
  /** Pages that the log reported, in all and per second of the running guest. */
  readonly pagesDirtied: number;
  readonly dirtyPagesPerSecond: number;
  /** Cycles of the guest during the migration, and of the same work without one. */
  readonly guestCycles: number;
  readonly unmigratedCycles: number;
  /** Time of the running guest during the migration over the same work without one, and on bare metal. */
  readonly guestSlowdown: number;
  readonly nativeSlowdown: number;
  /** The same without what throttling and waiting for pages took: what the tracker costs the guest. */
  readonly trackerSlowdown: number;
  readonly throttlePercent: number;
  /** Cycles of the host's thread in the dirty log. */
  readonly trackerCycles: number;
  /** Frames compared at the end: all of the guest's. None was lost, or the run had stopped with an error. */
  readonly framesChecked: number;
}

export interface MigrationResult {
  readonly key: MigrationKey;
  readonly outcome: MigrationOutcome;
  /** VM exits of the guest from the migration's start to its end. */
  readonly exits: Readonly<Record<ExitCounter, number>>;
  readonly rounds: readonly Readonly<Round>[];
  /** Name of the cost file, and the clock that turned cycles into time. */
  readonly cost: string;
  readonly gigahertz: number;
  /** Accesses of all three runs, for progress. */
  readonly accesses: number;
}
