/**
 * Runs one migration point: the program on bare metal, under the engine alone, and under the engine while it
 * is migrated. Everything follows from the key.
 */
import type { Gfn } from "../../machine/address.ts";
import { Prng } from "../../guest/prng.ts";
import { assert } from "../../machine/assert.ts";
import { Machine } from "../../machine/machine.ts";
import type { Workload } from "../../workloads/workload.ts";
import { workloads } from "../../workloads/index.ts";
import { pick } from "../../bench/input/config-error.ts";
import type { CostModel } from "../../bench/costs/cost.ts";
import { attachStamper } from "../../check/oracle/stamper.ts";
import {
  baselineEngine,
  type ExitCounter,
  exitCounters,
  type MigrationKey,
  type MigrationOutcome,
  type MigrationResult,
} from "../../bench/results/result.ts";
import { bootGuest, machineOf, type RunOptions } from "../../bench/points/run-point.ts";
import { GuestClock } from "./guest-clock.ts";
import { DestinationMemory, SourceMemory } from "./guest-memory.ts";
import { Link } from "./link.ts";
import { Migrator, MigrationOver, type Moment } from "./migrator.ts";
import { Sender, takeAway } from "./sender.ts";
import { type Activity, slicedGuest } from "./sliced-guest.ts";
import { type Timeline, TimelineRecorder } from "./timeline.ts";

export interface MigrationRunOptions extends RunOptions {
  readonly cost: CostModel;
  readonly gigahertz: number;
}

/** Throws an `OracleMismatch` when anything is lost, a `ConfigError` for names that do not exist. */
export function runMigration(key: MigrationKey, options: MigrationRunOptions): MigrationResult {
  const plain = { ...options, check: false };
  const native = timelineOf({ ...key, engine: baselineEngine }, plain);
  const unmigrated = timelineOf(key, plain);
  const { migrator, sender, accesses } = migrate(key, options, unmigrated);
  const { start, end } = migrator;
  assert(start !== null && end !== null, "migration: neither began nor ended");
  const computePerAccess = computeCyclesPerAccess(key, unmigrated);
  const alone = (timeline: Timeline) =>
    timeline.cyclesAt(end.turn) -
    timeline.cyclesAt(start.turn) +
    computePerAccess * (timeline.accessesAt(end.turn) - timeline.accessesAt(start.turn));
  return {
    key,
    outcome: outcomeOf(migrator, sender, {
      start,
      end,
      unmigratedCycles: alone(unmigrated),
      nativeCycles: alone(native),
      cyclesPerMs: options.gigahertz * 1e6,
    }),
    exits: exitsBetween(start, end),
    rounds: sender.log.rounds,
    cost: options.cost.name,
    gigahertz: options.gigahertz,
    accesses: accesses + native.accesses + unmigrated.accesses,
  };
}

function workloadOf(key: MigrationKey): Workload {
  return pick(workloads, key.workload, "workload");
}

function computeCyclesPerAccess(key: MigrationKey, { computeOps, accesses }: Timeline): number {
  return (computeOps * workloadOf(key).computeCycles.perOp) / accesses;
}

function machineFor(key: MigrationKey, options: MigrationRunOptions): Machine {
  const guestFrames = workloadOf(key).guestFrames(key.params);
  return new Machine({ ...machineOf(key, options), guestFrames });
}

function boot(key: MigrationKey, options: MigrationRunOptions, machine: Machine) {
  const kernel = workloadOf(key).guestOptions(key.params);
  return bootGuest(key, { ...options, machine, kernel });
}

function runProgram(
  key: MigrationKey,
  guest: ReturnType<typeof boot>["guest"],
  activity: Activity,
): void {
  workloadOf(key).run(slicedGuest(guest, activity), key.params, new Prng(key.seed));
}

function timelineOf(key: MigrationKey, options: MigrationRunOptions): Timeline {
  const machine = machineFor(key, options);
  const { cost, gigahertz } = options;
  const clock = new GuestClock({ machine, cost, gigahertz, computeCyclesPerAccess: 0 });
  const recorder = new TimelineRecorder(clock);
  runProgram(key, boot(key, options, machine).guest, recorder);
  return recorder.finish();
}

interface Migrated {
  readonly migrator: Migrator;
  readonly sender: Sender;
  readonly accesses: number;
}

function migrate(key: MigrationKey, options: MigrationRunOptions, unmigrated: Timeline): Migrated {
  const { migration: settings, engine } = key;
  const machine = machineFor(key, options);
  // The oracle stamps data itself; without it somebody else must, from the boot on.
  const stamper = options.check ? null : attachStamper(machine);
  const { guest, hypervisor, oracle } = boot(key, options, machine);
  const frames = oracle?.frames ?? stamper?.frames;
  assert(frames !== undefined, "migration: nobody stamps data");
  const clock = new GuestClock({
    machine,
    cost: costWithoutSwap(options.cost),
    gigahertz: options.gigahertz,
    computeCyclesPerAccess: computeCyclesPerAccess(key, unmigrated),
  });
  const putInPlace = (gfn: Gfn) => clock.aside(() => hypervisor.memory.touch(gfn));
  const sender = new Sender({
    host: {
      frames: machine.guestFrames,
      engine,
      cyclesPerMs: clock.cyclesPerMs,
      act(event) {
        const { result, cycles } = clock.onThread(() => hypervisor.host(event));
        return { reported: result, cycles };
      },
      takeAway(start, count) {
        clock.onThread(() => takeAway(hypervisor, start, count));
      },
      putInPlace,
    },
    source: new SourceMemory(machine.memory, frames, putInPlace),
    destination: new DestinationMemory(machine.guestFrames),
    link: new Link(settings.bandwidthBitsPerSecond),
    settings,
  });
  const startTurn = Math.floor((unmigrated.turns * settings.startPercent) / 100);
  const migrator = new Migrator({ clock, sender, startTurn });
  hypervisor.memory.onReturn = (gfn) => migrator.returned(gfn);
  try {
    runProgram(key, guest, {
      measured: () => migrator.measured(),
      turn: () => migrator.turn(),
      reclaimed(start, count) {
        stamper?.reclaimed(start, count);
        migrator.reclaimed(start, count);
      },
    });
    migrator.programEnded();
  } catch (error) {
    if (!(error instanceof MigrationOver)) throw error;
  }
  return { migrator, sender, accesses: machine.snapshot().ledger.accesses };
}

/** A page that is away comes over the link, which takes its own time: what is left of the fault is its handling. */
function costWithoutSwap(cost: CostModel): CostModel {
  const { host } = cost.events;
  const handled = { ...host, majorFault: host.fault, swapOut: 0 };
  return { ...cost, events: { ...cost.events, host: handled } };
}

interface Comparison {
  readonly start: Moment;
  readonly end: Moment;
  /** Cycles of the same work without a migration, and on bare metal. */
  readonly unmigratedCycles: number;
  readonly nativeCycles: number;
  readonly cyclesPerMs: number;
}

function outcomeOf(migrator: Migrator, sender: Sender, compared: Comparison): MigrationOutcome {
  const { start, end, unmigratedCycles, nativeCycles, cyclesPerMs } = compared;
  const { switchOver, postcopy } = migrator;
  assert(switchOver !== null, "migration: the guest was never moved");
  const { rounds } = sender.log;
  const sum = (name: "pagesSent" | "pagesResent" | "zeroPages" | "bytes" | "trackerCycles") =>
    rounds.reduce((total, round) => total + round[name], 0);
  // Post-copy's guest runs on after its stop, so the stop lies between start and end.
  const standsStill = switchOver.verdict === "moved" ? switchOver.downtimeMs : 0;
  const runningMs = end.ms - start.ms - standsStill;
  const arrivedMs = Math.max(...rounds.map(({ endMs }) => endMs));
  const logged = rounds.reduce((total, { pagesDirtied }) => total + pagesDirtied, 0);
  return {
    verdict: switchOver.verdict,
    rounds: rounds.filter(({ phase, pagesSent }) => phase === "precopy" && pagesSent > 0).length,
    pagesSent: sum("pagesSent"),
    pagesResent: sum("pagesResent"),
    zeroPages: sum("zeroPages"),
    bytes: sum("bytes"),
    downtimeMs: switchOver.downtimeMs,
    totalMs: arrivedMs - start.ms,
    pagesPulled: postcopy.pagesPulled,
    pullWaitMs: postcopy.waitMs,
    pagesDirtied: logged,
    dirtyPagesPerSecond: ratio(logged * 1000, runningMs),
    guestCycles: end.cycles - start.cycles,
    unmigratedCycles,
    guestSlowdown: ratio(runningMs * cyclesPerMs, unmigratedCycles),
    nativeSlowdown: ratio(runningMs * cyclesPerMs, nativeCycles),
    trackerSlowdown: ratio(end.cycles - start.cycles, unmigratedCycles),
    throttlePercent: migrator.precopy.throttle.percent,
    trackerCycles: sum("trackerCycles"),
    framesChecked: sender.parts.host.frames,
  };
}

/** 1 where there is nothing to compare: the guest did no work meanwhile. */
function ratio(value: number, base: number): number {
  return base === 0 ? 1 : value / base;
}

function exitsBetween(start: Moment, end: Moment): Readonly<Record<ExitCounter, number>> {
  return Object.fromEntries(
    exitCounters.map((name) => [name, end.ledger[name] - start.ledger[name]]),
  ) as Record<ExitCounter, number>;
}
