/**
 * Several vCPUs and one lock of the nested tables: how long each takes, when all do the same.
 *
 * Each works on its own, takes the lock, first come, first served, holds it, and works on. Fixed times, so nobody waits
 * before the lock is always held.
 */

export interface LockedWork {
  readonly vcpus: number;
  /** Cycles of one piece of work, the part under the lock included. */
  readonly cycles: number;
  /** Cycles of it under the lock. */
  readonly held: number;
}

/** Pieces until the queue is as long as it gets, and pieces that are timed. */
const [before, timed] = [200, 200];

/** Cycles that a piece takes in the end, waiting included. */
export function cyclesBehindLock({ vcpus, cycles, held }: LockedWork): number {
  const alone = cycles - held;
  /** When each vCPU comes to the lock next: they begin one after another. */
  const arrivals = Array.from({ length: vcpus }, (_, id) => alone + (id * cycles) / vcpus);
  let free = 0;
  /** All do the same, so they come in the same order each time. */
  const run = (pieces: number): number => {
    for (let piece = 0; piece < pieces; piece++) {
      for (const [id, arrival] of arrivals.entries()) {
        free = Math.max(free, arrival) + held;
        arrivals[id] = free + alone;
      }
    }
    return free;
  };
  const start = run(before);
  return (run(timed) - start) / timed;
}
