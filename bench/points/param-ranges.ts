/**
 * What a numeric parameter may be, by its name: one table for all workloads, so a new one is checked before anybody thinks of it.
 *
 * Nothing may be 0 that would leave nothing to run or to run on; what is 0 on purpose stands here with its meaning.
 */

interface ParamRange {
  readonly name: RegExp;
  readonly min: number;
  readonly max: number;
}

const manyMax = 1e12;

/** The first that matches holds. */
const ranges: readonly ParamRange[] = [
  // Shares of a whole.
  { name: /percent$/i, min: 0, max: 100 },
  { name: /permille$/i, min: 0, max: 1000 },
  { name: /PerMillion$/, min: 0, max: 1e6 },
  // A program that does only what is counted by another parameter: no reads, calls, or writes beside it.
  {
    name: /^(?:readsPerPage|readsPerWrite|callsPerPage|accessesPerCall|accessesPerOp|childWrites)$/,
    min: 0,
    max: manyMax,
  },
  // Half of a program's image is code, half data.
  { name: /^imagePages$/, min: 2, max: manyMax },
  { name: /fanout$/i, min: 2, max: manyMax },
];

/** Counts of things: at least one. */
const usual = { min: 1, max: manyMax };

/** `usually` is the default, whose kind tells counts from fractions. */
export function paramRange(
  name: string,
  usually: number,
): { readonly min: number; readonly max: number } {
  if (!Number.isInteger(usually)) return { min: 0, max: manyMax };
  return ranges.find((range) => range.name.test(name)) ?? usual;
}
