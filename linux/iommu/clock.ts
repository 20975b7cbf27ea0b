/**
 * Simulated time of a guest that drives devices, in microseconds: what timers go by. Programs say how long things take;
 * nothing reads the host's clock.
 */
export class DmaClock {
  now = 0;
  private readonly timers: { at: number; run: () => void }[] = [];

  /** Time passes; timers that are due run in order. */
  advance(microseconds: number): void {
    const until = this.now + microseconds;
    for (;;) {
      const due = this.timers.findIndex(({ at }) => at <= until);
      if (due < 0) break;
      const [timer] = this.timers.splice(due, 1);
      if (timer === undefined) break;
      this.now = Math.max(this.now, timer.at);
      timer.run();
    }
    this.now = until;
  }

  /** Runs `run` that much later, after what is due earlier or was asked for first. */
  after(microseconds: number, run: () => void): void {
    const at = this.now + microseconds;
    const behind = this.timers.findIndex((other) => other.at > at);
    this.timers.splice(behind < 0 ? this.timers.length : behind, 0, { at, run });
  }
}
