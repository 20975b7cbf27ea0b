/**
 * One random guest, migrated from a random point of it on over a random link, every access under the oracle.
 *
 * Time is the guest's ops here, so that a link of a few pages per op meets every kind of work half done.
 */
import { createLedger } from "../../machine/counters.ts";
import { Machine } from "../../machine/machine.ts";
import { type OpChunk } from "../../workloads/trace/ops.ts";
import { replayDecoded } from "../../workloads/trace/replay.ts";
import type { OpGroup, Program } from "../../check/fuzz/program.ts";
import {
  chunkOf,
  hypervisorFor,
  machineFor,
  problemOf,
  type Target,
} from "../../check/fuzz/run-program.ts";
import type { MigrationSettings } from "../../bench/results/migration-record.ts";
import { attachOracle } from "../../check/oracle/oracle.ts";
import type { Verdict } from "../../bench/results/result.ts";
import { DestinationMemory, SourceMemory } from "../migration/guest-memory.ts";
import { Link } from "../migration/link.ts";
import { Migrator, MigrationOver } from "../migration/migrator.ts";
import { Sender, takeAway } from "../migration/sender.ts";

/** When the migration starts, in groups of ops, and how it is done; "ms" are ops. */
export interface FuzzedMigration {
  readonly startGroup: number;
  readonly settings: MigrationSettings;
}

export interface MigrationVerdict {
  /** Null when the guest ended itself before anything could be compared. */
  readonly verdict: Verdict | null;
  readonly pagesSent: number;
  readonly pagesPulled: number;
  readonly checked: number;
  readonly problem: string | null;
}

export function runMigrated(
  program: Program,
  target: Target,
  { startGroup, settings }: FuzzedMigration,
): MigrationVerdict {
  const machine = new Machine(machineFor(program, target));
  const oracle = attachOracle(machine, target);
  const hypervisor = oracle.watch(hypervisorFor(program, target, machine));
  let ops = 0;
  const clock = {
    cyclesPerMs: 1,
    start() {},
    work: () => ({ cycles: ops, accesses: ops }),
    ledger: createLedger,
  };
  const sender = new Sender({
    host: {
      frames: machine.guestFrames,
      engine: target.engine,
      cyclesPerMs: 1,
      act: (event) => ({ reported: hypervisor.host(event), cycles: 0 }),
      takeAway: (start, frames) => takeAway(hypervisor, start, frames),
      putInPlace: (gfn) => hypervisor.memory.touch(gfn),
    },
    source: new SourceMemory(machine.memory, oracle.frames, (gfn) => hypervisor.memory.touch(gfn)),
    destination: new DestinationMemory(machine.guestFrames),
    link: new Link(settings.bandwidthBitsPerSecond),
    settings,
  });
  const migrator = new Migrator({ clock, sender, startTurn: startGroup });
  hypervisor.memory.onReturn = (gfn) => migrator.returned(gfn);
  migrator.measured();

  function* chunks(): Generator<OpChunk> {
    for (const group of program.groups) {
      for (const op of group.filter(isGuests)) {
        yield chunkOf([op]);
        ops += 1;
        if (op.op !== "host" || op.event.kind !== "reclaim") continue;
        // Before the guest's next op, which may touch the page.
        migrator.reclaimed(op.event.start, op.event.frames);
      }
      migrator.turn();
    }
    migrator.programEnded();
  }
  let problem: string | null = null;
  try {
    replayDecoded({
      machine,
      hypervisor,
      source: { file: "fuzz", header: program.header, chunks: chunks() },
      onPhase: () => undefined,
      options: { fetchEachOp: false },
    });
  } catch (error) {
    if (!(error instanceof MigrationOver)) problem = problemOf(error);
  }
  return {
    verdict: migrator.end === null ? null : (migrator.switchOver?.verdict ?? null),
    pagesSent: sender.log.rounds.reduce((sum, { pagesSent }) => sum + pagesSent, 0),
    pagesPulled: migrator.postcopy.pagesPulled,
    checked: oracle.checked,
    problem,
  };
}

/** There is one dirty log, and the migration has it; a VMM that stores by itself would keep a log of that. Nor do slots change. */
function isGuests(op: OpGroup[number]): boolean {
  return op.op !== "host" || !/^dirty-log|^write$|^slot-/.test(op.event.kind);
}
