/**
 * One migration beside a running program: it has a turn now and then, reads the guest's clock, and lets the
 * wire and the log catch up with it.
 */
import { assert } from "../../machine/assert.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { Gfn } from "../../machine/address.ts";
import type { ProgressClock } from "./guest-clock.ts";
import { PostCopy } from "./postcopy.ts";
import { PreCopy, type SwitchOver } from "./precopy.ts";
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
  readonly clock: ProgressClock;
  readonly sender: Sender;
  /** Turn of the measured program at which it starts. */
  readonly startTurn: number;
}

export class Migrator implements Activity {
  readonly precopy: PreCopy;
  readonly postcopy: PostCopy;
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
    this.postcopy = new PostCopy(parts.sender);
  }

  measured(): void {
    this.parts.clock.start();
    this.isMeasuring = true;
  }

  turn(): void {
    if (!this.isMeasuring) return;
    if (this.start !== null) this.act();
    else if (this.turns >= this.parts.startTurn) this.begin();
    this.turns += 1;
    if (this.end !== null) throw new MigrationOver("migration: over");
  }

  reclaimed(start: Gfn, frames: number): void {
    if (this.start === null) return;
    if (this.switchOver === null) this.parts.sender.reclaimed(start, frames);
    else this.postcopy.reclaimed(start, frames);
  }

  /** A page came back to a guest that touched it: post-copy, if the guest has moved. */
  returned(gfn: Gfn): void {
    if (this.switchOver !== null) this.ms += this.postcopy.pull(gfn, this.ms);
  }

  /** The program has come to its end: what is not converged now never will be. */
  programEnded(): void {
    assert(this.isMeasuring, "migration: the program never says where its set-up ends");
    if (this.start === null) this.begin();
    this.pass();
    if (this.switchOver === null) this.stop("forced");
    else this.postcopy.push(Infinity);
    this.finish();
  }

  private begin(): void {
    const { clock } = this.parts;
    this.cycles = clock.work().cycles;
    this.ms = this.cycles / clock.cyclesPerMs;
    this.start = this.moment();
    this.precopy.start(this.ms);
  }

  private act(): void {
    this.pass();
    if (this.switchOver !== null) {
      this.postcopy.push(this.ms);
      if (this.postcopy.isDone) this.finish();
      return;
    }
    const decision = this.precopy.advance(this.ms);
    if (decision === "stop") {
      this.stop("converged");
      this.finish();
    } else if (decision === "move") {
      this.switchOver = this.postcopy.move(this.ms);
      this.ms = this.switchOver.stoppedMs + this.switchOver.downtimeMs;
    }
  }

  /** Simulated time passes as the guest has worked since the last turn. */
  private pass(): void {
    const { clock } = this.parts;
    const { cycles } = clock.work();
    const guestMs = (cycles - this.cycles) / clock.cyclesPerMs;
    this.ms += this.switchOver === null ? this.precopy.throttle.stretch(guestMs) : guestMs;
    this.cycles = cycles;
  }

  private stop(verdict: "converged" | "forced"): void {
    const { host, source, destination } = this.parts.sender.parts;
    this.switchOver = this.precopy.stopAndCopy(this.ms, verdict);
    destination.check(source, host.engine, () => false);
    this.parts.sender.stopLog();
  }

  private finish(): void {
    this.end = this.moment();
  }

  private moment(): Moment {
    const { turns: turn, ms, cycles } = this;
    return { turn, ms, cycles, ledger: this.parts.clock.ledger() };
  }
}
