/**
 * One migration beside a running program: it has a turn now and then, reads the guest's clock, and lets the
 * wire and the log catch up with it.
 */
import { assert } from "../../machine/assert.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { Gfn } from "../../machine/address.ts";
import { PreCopy, type SwitchOver } from "./precopy.ts";
import type { GuestClock } from "./guest-clock.ts";
import type { Sender } from "./sender.ts";
import type { Activity } from "./sliced-guest.ts";
import { Throttle } from "./throttle.ts";

/** Thrown through the program once everything worth knowing is known. */
export class MigrationOver extends Error {
  override readonly name = "MigrationOver";
}

/** A moment of the migrating run. */
export interface Moment {
  readonly turn: number;
  readonly ms: number;
  readonly cycles: number;
  readonly ledger: Ledger;
}

export interface MigratorParts {
  readonly clock: GuestClock;
  readonly sender: Sender;
  /** Turn of the measured program at which it starts. */
  readonly startTurn: number;
}

export class Migrator implements Activity {
  readonly precopy: PreCopy;
  start: Moment | null = null;
  end: Moment | null = null;
  switchOver: SwitchOver | null = null;
  private readonly parts: MigratorParts;
  private isMeasuring = false;
  private turns = 0;
  private ms = 0;
  private cycles = 0;

  constructor(parts: MigratorParts) {
    this.parts = parts;
    this.precopy = new PreCopy(parts.sender, new Throttle(parts.sender.parts.settings));
  }

  measured(): void {
    this.parts.clock.start();
    this.isMeasuring = true;
  }

  turn(): void {
    if (!this.isMeasuring) return;
    if (this.start === null) {
      if (this.turns >= this.parts.startTurn) this.begin();
    } else {
      this.pass();
      if (this.precopy.advance(this.ms)) this.finish("converged");
    }
    this.turns += 1;
    if (this.switchOver !== null) throw new MigrationOver("migration: over");
  }

  reclaimed(start: Gfn, frames: number): void {
    if (this.start !== null) this.parts.sender.reclaimed(start, frames);
  }

  /** The program has come to its end: what is not converged now never will be. */
  programEnded(): void {
    assert(this.isMeasuring, "migration: the program never says where its set-up ends");
    if (this.start === null) this.begin();
    this.pass();
    this.finish("forced");
  }

  private begin(): void {
    const { clock } = this.parts;
    const { cycles } = clock.work();
    this.cycles = cycles;
    this.ms = cycles / clock.cyclesPerMs;
    this.start = { turn: this.turns, ms: this.ms, cycles, ledger: clock.ledger() };
    this.precopy.start(this.ms);
  }

  /** Simulated time passes as the guest has worked since the last turn. */
  private pass(): void {
    const { clock } = this.parts;
    const { cycles } = clock.work();
    const guestMs = (cycles - this.cycles) / clock.cyclesPerMs;
    this.ms += this.precopy.throttle.stretch(guestMs);
    this.cycles = cycles;
  }

  private finish(verdict: "converged" | "forced"): void {
    const { clock, sender } = this.parts;
    const { host, source, destination } = sender.parts;
    this.end = { turn: this.turns, ms: this.ms, cycles: this.cycles, ledger: clock.ledger() };
    this.switchOver = this.precopy.stopAndCopy(this.ms, verdict);
    destination.check(source, host.engine, () => false);
    sender.act({ kind: "dirty-log-off" });
  }
}
