/**
 * What the C program does not have: storms of events that make the hypervisor work, warm translation under a
 * scheme, checked accesses; in processor time per event, which neighbours on the machine cannot inflate much.
 *
 * A storm is a point of the ordinary harness, whose event is a counter of the run, set-up included, or a program of
 * its own that is warm when it is timed (`store-storm.ts`, `warm-storm.ts`).
 */
import type { CounterName, Ledger } from "../../machine/counters.ts";
import { addInto, createLedger } from "../../machine/counters.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { presets } from "../../machine/presets.ts";
import { workloads } from "../../workloads/index.ts";
import type { EngineName } from "../../engines/index.ts";
import { timed } from "../host-time.ts";
import { runPoint } from "../points/run-point.ts";
import { storeStorm } from "./store-storm.ts";
import { warmStorm } from "./warm-storm.ts";

export type Storm = PointStorm | ProgramStorm;

interface AnyStorm {
  readonly title: string;
  readonly engine: EngineName;
  /** What is counted as one event. */
  readonly events: readonly CounterName[];
}

/** A point of the ordinary harness, timed with its set-up. */
interface PointStorm extends AnyStorm {
  readonly workload: keyof typeof workloads;
  readonly params: Readonly<Record<string, number | string>>;
  /** Does the oracle watch? */
  readonly isChecked?: true;
}

/** A program of its own, warm when it is timed. */
interface ProgramStorm extends AnyStorm {
  readonly program: (engine: EngineName, mmu: MmuFactory) => { run: (times: number) => Ledger };
  /** How often it runs before it is timed, and while it is. */
  readonly before: number;
  readonly times: number;
}

/** Until the code is compiled and the tables are out of sync, where they may be. */
const stores = {
  title: "PTE stores",
  program: storeStorm,
  before: 100,
  times: 120,
  events: ["pteStores"],
} as const;

const warmAccesses = {
  title: "warm accesses",
  program: warmStorm,
  before: 1_000_000,
  times: 4_000_000,
  events: ["accesses"],
} as const;

/** Long enough that compiling the program's own code does not count. */
const gc = { pages: 4096, accesses: 1000, collectionRounds: 60 };

export const storms: readonly Storm[] = [
  { ...stores, engine: "native" },
  { ...stores, engine: "shadow" },
  { ...stores, engine: "shadow-lazy" },
  {
    title: "PTE stores of mprotect",
    engine: "shadow",
    workload: "mprotect-gc",
    params: gc,
    events: ["emulatedPteWrites"],
  },
  {
    title: "PTE stores of mprotect",
    engine: "shadow-lazy",
    workload: "mprotect-gc",
    params: gc,
    events: ["pteStores"],
  },
  {
    title: "forks",
    engine: "shadow",
    workload: "forkwait",
    params: { forks: 300 },
    events: ["forks"],
  },
  {
    title: "forks, lazy shadow",
    engine: "shadow-lazy",
    workload: "forkwait",
    params: { forks: 300 },
    events: ["forks"],
  },
  {
    title: "context switches",
    engine: "shadow",
    workload: "context-switch",
    params: { switches: 20_000 },
    events: ["contextSwitches"],
  },
  {
    title: "pages logged by PML",
    engine: "ept-pml",
    workload: "hot-write",
    params: { pages: 8192, accesses: 40_000 },
    events: ["pmlAppends"],
  },
  {
    title: "exits of write protection",
    engine: "ept-wp",
    workload: "hot-write",
    params: { pages: 8192, accesses: 40_000 },
    events: ["exitsEptViolation"],
  },
  { ...warmAccesses, engine: "native" },
  { ...warmAccesses, engine: "shadow" },
  { ...warmAccesses, engine: "shadow-lazy" },
  {
    title: "checked accesses",
    engine: "ept",
    workload: "uniform",
    params: { pages: 1024, accesses: 1_000_000 },
    events: ["accesses"],
    isChecked: true,
  },
];

export interface StormTime {
  readonly events: number;
  /** VM exits of all reasons in the same time. */
  readonly exits: number;
  /** Processor time of the thread; with the set-up, for a point. */
  readonly nanosecondsPerEvent: number;
}

export function measureStorm(storm: Storm, mmu: MmuFactory): StormTime {
  const { ledger, milliseconds } =
    "program" in storm ? measureProgram(storm, mmu) : measurePoint(storm, mmu);
  const events = storm.events.reduce((sum, name) => sum + ledger[name], 0);
  return { events, exits: ledger.exits, nanosecondsPerEvent: (milliseconds * 1e6) / events };
}

interface Measured {
  readonly ledger: Ledger;
  /** Processor time. */
  readonly milliseconds: number;
}

function measureProgram(
  { program, engine, before, times }: ProgramStorm,
  mmu: MmuFactory,
): Measured {
  const storm = program(engine, mmu);
  storm.run(before);
  const { value, processorMilliseconds } = timed(() => storm.run(times));
  return { ledger: value, milliseconds: processorMilliseconds };
}

function measurePoint(storm: PointStorm, mmu: MmuFactory): Measured {
  const { engine, workload, params } = storm;
  const { value, processorMilliseconds } = timed(() =>
    runPoint(
      {
        id: 0,
        engine,
        workload,
        params: { ...workloads[workload].defaults, ...params },
        preset: "skylake-sp",
        backing: "4k",
        guestLevels: 4,
        nestedLevels: 4,
        seed: 1,
      },
      { preset: presets["skylake-sp"], mmu, check: storm.isChecked ?? false },
    ),
  );
  const { setup, measured } = value.result.regions;
  const total: Ledger = createLedger();
  addInto(total, setup.ledger);
  addInto(total, measured.ledger);
  return { ledger: total, milliseconds: processorMilliseconds };
}
