/**
 * What the C program does not have: storms of events that make the hypervisor work, warm translation under a
 * scheme, checked accesses; in processor time per event, which neighbours on the machine cannot inflate much.
 *
 * A storm is a point of the ordinary harness, whose event is a counter of the run, set-up included; the storm of
 * PTE stores is a program of its own (`store-storm.ts`), warm when it is timed.
 */
import type { CounterName, Ledger } from "../../machine/counters.ts";
import { addInto, createLedger } from "../../machine/counters.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { presets } from "../../machine/presets.ts";
import { workloads } from "../../workloads/index.ts";
import type { EngineName } from "../../engines/index.ts";
import { timed } from "../host-time.ts";
import { runPoint } from "../run-point.ts";
import { storeStorm } from "./store-storm.ts";

export type Storm = PointStorm | StoresOnly;

interface PointStorm {
  readonly title: string;
  readonly engine: EngineName;
  readonly workload: keyof typeof workloads;
  readonly params: Readonly<Record<string, number | string>>;
  /** What is counted as one event. */
  readonly events: readonly CounterName[];
  /** Does the oracle watch? */
  readonly isChecked?: true;
}

interface StoresOnly {
  readonly title: string;
  readonly engine: EngineName;
  /** Passes over the tables that are timed. */
  readonly passes: number;
}

/** Passes until the code is compiled and the tables are out of sync, where they may be. */
const passesBefore = 20;
const storesTitle = "PTE stores";
const passes = 60;

/** Long enough that compiling the program's own code does not count. */
const gc = { pages: 4096, accesses: 1000, collectionRounds: 60 };

/** Within reach of the second-level TLB: what is timed is translation, not the tables. */
const warm = { pages: 1024, accesses: 4_000_000 };
const warmTitle = "warm accesses";

export const storms: readonly Storm[] = [
  { title: storesTitle, engine: "native", passes },
  { title: storesTitle, engine: "shadow", passes },
  { title: storesTitle, engine: "shadow-lazy", passes },
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
  { title: warmTitle, engine: "native", workload: "uniform", params: warm, events: ["accesses"] },
  { title: warmTitle, engine: "shadow", workload: "uniform", params: warm, events: ["accesses"] },
  {
    title: warmTitle,
    engine: "shadow-lazy",
    workload: "uniform",
    params: warm,
    events: ["accesses"],
  },
  {
    title: "checked accesses",
    engine: "ept",
    workload: "uniform",
    params: { ...warm, accesses: 1_000_000 },
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
  return "passes" in storm ? measureStores(storm, mmu) : measurePoint(storm, mmu);
}

function measureStores({ engine, passes: timedPasses }: StoresOnly, mmu: MmuFactory): StormTime {
  const storm = storeStorm(engine, mmu);
  storm.run(passesBefore);
  const { value: ledger, processorMilliseconds } = timed(() => storm.run(timedPasses));
  return timeOf(ledger, ledger.pteStores, processorMilliseconds);
}

function measurePoint(storm: PointStorm, mmu: MmuFactory): StormTime {
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
  const events = storm.events.reduce((sum, name) => sum + total[name], 0);
  return timeOf(total, events, processorMilliseconds);
}

function timeOf({ exits }: Ledger, events: number, milliseconds: number): StormTime {
  return { events, exits, nanosecondsPerEvent: (milliseconds * 1e6) / events };
}
