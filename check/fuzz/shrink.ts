/**
 * Makes a failing list shorter while it still fails: delta debugging.
 *
 * Chunks of halving size are left out one by one; what is not missed stays out. The result is minimal in
 * that no single element can go. Source: Zeller and Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input", IEEE TSE 28(2), 2002.
 */
export interface ShrinkOptions<T> {
  readonly items: readonly T[];
  readonly fails: (items: readonly T[]) => boolean;
  /** Most trials; the shortest list so far is returned when they are used up. */
  readonly trialsMax: number;
}

export function shrinkList<T>({ items, fails, trialsMax }: ShrinkOptions<T>): readonly T[] {
  let best = items;
  let trials = 0;
  let size = Math.ceil(best.length / 2);
  while (size >= 1 && trials < trialsMax) {
    const before = best.length;
    // From the end: late ops depend on early ones, not the other way round.
    for (let end = best.length; end > 0 && trials < trialsMax; end -= size) {
      const rest = [...best.slice(0, Math.max(0, end - size)), ...best.slice(end)];
      if (rest.length === best.length) continue;
      trials += 1;
      if (fails(rest)) best = rest;
    }
    if (size > 1) size = Math.ceil(size / 2);
    else if (best.length === before) break;
  }
  return best;
}
