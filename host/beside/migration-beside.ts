/**
 * A migration beside programs and devices: pre-copy, whose log is the guest's own and what devices and the VMM wrote.
 *
 * Post-copy is not possible: a page that is not there yet cannot be waited for by a DMA.
 *
 * Time is steps: "ms" are those that `passed` is told of.
 */
import type { Prng } from "../../guest/prng.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import type { Gfn } from "../../machine/address.ts";
import { createLedger } from "../../machine/counters.ts";
import type { MigrationSettings } from "../../bench/results/migration-record.ts";
import { DestinationMemory, SourceMemory } from "../migration/guest-memory.ts";
import { Link, sentPageBytes } from "../migration/link.ts";
import { Migrator } from "../migration/migrator.ts";
import { Sender, takeAway } from "../migration/sender.ts";
import { defaultSettings } from "../migration/settings.ts";
import type { ComputerBeside } from "./computer-beside.ts";

export class MigrationBeside {
  readonly sender: Sender;
  private readonly migrator: Migrator;
  private readonly startAt: number;
  private ms = 0;

  constructor(computer: ComputerBeside, settings: MigrationSettings, startAt: number) {
    const { machine, hypervisor, cpuOracle, dirt } = computer;
    const touch = (gfn: Gfn) => void hypervisor.memory.touch(gfn);
    const act = (event: HostEvent) => {
      const reported = hypervisor.host(event);
      if (event.kind === "dirty-log-on") dirt.start();
      if (event.kind !== "dirty-log-get") return { reported, cycles: 0 };
      const all = new Set<number>([...reported, ...dirt.collect()]);
      return { reported: [...all].map((gfn) => gfn as Gfn), cycles: 0 };
    };
    this.startAt = startAt;
    this.sender = new Sender({
      host: {
        frames: machine.guestFrames,
        engine: "beside devices",
        cyclesPerMs: 1,
        act,
        takeAway: (start, frames) => takeAway(hypervisor, start, frames),
        putInPlace: touch,
      },
      source: new SourceMemory(machine.memory, cpuOracle.frames, touch),
      destination: new DestinationMemory(machine.guestFrames),
      link: new Link(settings.bandwidthBitsPerSecond),
      settings,
    });
    const clock = {
      cyclesPerMs: 1,
      start() {},
      work: () => ({ cycles: this.ms, accesses: this.ms }),
      ledger: createLedger,
    };
    this.migrator = new Migrator({ clock, sender: this.sender, startTurn: startAt });
    this.migrator.measured();
    // What the balloon gave up: nobody reports it.
    computer.onHost.push((event) => {
      if (event.kind === "reclaim") this.migrator.reclaimed(event.start, event.frames);
    });
  }

  get isOver(): boolean {
    return this.migrator.end !== null;
  }

  /** Throws `MigrationOver` when the guest has moved. */
  passed(ms: number): void {
    this.ms += ms;
    this.migrator.turn();
  }

  programEnded(): void {
    if (this.ms > this.startAt) this.migrator.programEnded();
  }
}

/** A migration over a random link, from a random moment on. */
export function drawMigration(computer: ComputerBeside, prng: Prng): MigrationBeside {
  // The whole guest in 16 to 512 steps.
  const pagesPerStep = 16 * 2 ** prng.below(6);
  const settings: MigrationSettings = {
    ...defaultSettings,
    bandwidthBitsPerSecond: pagesPerStep * sentPageBytes * 8 * 1000,
    downtimeLimitMs: prng.below(3),
    bandwidthWindowMs: prng.below(10),
    zeroPages: prng.chance(70) ? 1 : 0,
  };
  return new MigrationBeside(computer, settings, prng.below(100));
}
