/**
 * The same program without a migration: how far it is at each turn, which is what a slowdown is relative to.
 */
import type { Activity } from "./sliced-guest.ts";
import type { GuestClock } from "./guest-clock.ts";

export interface Timeline {
  /** Turns of the measured program. */
  readonly turns: number;
  readonly accesses: number;
  readonly computeOps: number;
  /** Cycles from the start of the measured program to a turn of it, computation left out. */
  cyclesAt(turn: number): number;
  accessesAt(turn: number): number;
}

/** Watches a program to its end. */
export class TimelineRecorder implements Activity {
  private readonly clock: GuestClock;
  private readonly cycles: number[] = [];
  private readonly accesses: number[] = [];
  private isMeasuring = false;
  private computedBefore = 0;

  constructor(clock: GuestClock) {
    this.clock = clock;
  }

  measured(): void {
    this.clock.start();
    this.computedBefore = this.clock.ledger().computeOps;
    this.isMeasuring = true;
  }

  turn(): void {
    if (!this.isMeasuring) return;
    const { cycles, accesses } = this.clock.work();
    this.cycles.push(cycles);
    this.accesses.push(accesses);
  }

  reclaimed(): void {}

  /** The program has ended. */
  finish(): Timeline {
    this.turn();
    const { cycles, accesses } = this;
    return {
      turns: cycles.length,
      accesses: accesses.at(-1) ?? 0,
      computeOps: this.clock.ledger().computeOps - this.computedBefore,
      cyclesAt: (turn) => cycles[turn] ?? 0,
      accessesAt: (turn) => accesses[turn] ?? 0,
    };
  }
}
