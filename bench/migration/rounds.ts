/**
 * What a migration writes down: one line per round, and who decided that it was over.
 */
export type RoundPhase = "precopy" | "stop-and-copy" | "postcopy";

/** From one reading of the dirty log to the next. */
export interface Round {
  readonly round: number;
  readonly phase: RoundPhase;
  readonly startMs: number;
  endMs: number;
  /** Pages sent, markers of zeros among them; pages that had been sent before. */
  pagesSent: number;
  pagesResent: number;
  zeroPages: number;
  bytes: number;
  /** What the log reported at the end of the round. */
  pagesDirtied: number;
  /** Pages still to send then. */
  pagesLeft: number;
  /** Bytes that the rule allowed to be left then. */
  allowedBytes: number;
  /** Cycles of the host's thread in the log. */
  trackerCycles: number;
  throttlePercent: number;
}

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
