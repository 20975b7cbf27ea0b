/**
 * What the data caches change in a table of results, in words: `bench`, `merge` and `report` say it.
 */
import { cachePairs } from "../bench/points/cache-pairs.ts";
import { engineFamilies } from "../bench/points/catalogue.ts";
import type { PointRow } from "../bench/results/result.ts";
import { cacheWinners, cacheWinnersText } from "../report/cache-winners.ts";

/** Lines, each ended; empty where nothing ran on both of a pair. */
export function cachesText(points: readonly PointRow[]): string {
  const families = engineFamilies();
  return cachePairs()
    .flatMap((pair) => cacheWinnersText(pair, cacheWinners(points, pair, families)) ?? [])
    .map((line) => `${line}\n`)
    .join("");
}
