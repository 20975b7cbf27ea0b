/**
 * The rounds of a running migration, as they are written down.
 */
import type { Round, RoundPhase } from "../../bench/results/migration-record.ts";

export class RoundLog {
  readonly rounds: Round[] = [];

  open(phase: RoundPhase, startMs: number, throttlePercent: number): Round {
    const round: Round = {
      round: this.rounds.length + 1,
      phase,
      startMs,
      endMs: startMs,
      pagesSent: 0,
      pagesResent: 0,
      zeroPages: 0,
      bytes: 0,
      pagesDirtied: 0,
      pagesLeft: 0,
      allowedBytes: 0,
      trackerCycles: 0,
      throttlePercent,
    };
    this.rounds.push(round);
    return round;
  }
}
