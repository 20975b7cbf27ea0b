/**
 * Median and spread of a few repeated values, one per seed.
 *
 * Medians, because one odd seed must not move a claim; range and quartiles, because three seeds carry no
 * standard deviation worth printing.
 */
export interface Summary {
  readonly count: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
}

/** Summary of at least one value. Quartiles interpolate between neighbours (Hyndman and Fan 1996, type 7). */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    count: sorted.length,
    median: quantile(sorted, 0.5),
    min: quantile(sorted, 0),
    max: quantile(sorted, 1),
    lowerQuartile: quantile(sorted, 0.25),
    upperQuartile: quantile(sorted, 0.75),
  };
}

/** Half the range, the `±` of tables. */
export function halfRange({ min, max }: Summary): number {
  return (max - min) / 2;
}

function quantile(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}
