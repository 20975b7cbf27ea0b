/**
 * Zipf-distributed choice among n items in constant time: Walker's alias method.
 *
 * Popular items are scattered over the range, as a hash table scatters popular keys; otherwise the hottest
 * would be neighbours and share large pages by accident.
 *
 * Source: Vose, IEEE Trans. Software Eng. 17(9), 1991; exponent 0.99 as in YCSB (Cooper, SoCC 2010).
 */
import type { Prng } from "../guest/prng.ts";
import { realPower } from "./power.ts";

export const zipfExponent = 0.99;
const fractionSteps = 0x1_0000_0000;

/** A function that draws items from [0, items). */
export function zipfSampler(items: number, exponent: number, prng: Prng): () => number {
  const { keep, alias } = aliasTable(zipfWeights(items, exponent));
  const place = shuffled(items, prng);
  return () => {
    const column = prng.below(items);
    const stays = prng.below(fractionSteps) < at(keep, column);
    return at(place, stays ? column : at(alias, column));
  };
}

/** Numbers 0 to items - 1 in random order. */
export function shuffled(items: number, prng: Prng): Int32Array {
  const order = Int32Array.from({ length: items }, (_, i) => i);
  for (let i = items - 1; i > 0; i--) {
    const j = prng.below(i + 1);
    const moved = at(order, i);
    order[i] = at(order, j);
    order[j] = moved;
  }
  return order;
}

/** Chances of ranks 1, 2, ...; they sum to the number of items. */
function zipfWeights(items: number, exponent: number): Float64Array {
  const weights = Float64Array.from({ length: items }, (_, i) => 1 / realPower(i + 1, exponent));
  let sum = 0;
  for (const weight of weights) sum += weight;
  return weights.map((weight) => (weight * items) / sum);
}

/** Splits the weights into columns of height 1 with two items each. */
function aliasTable(weights: Float64Array): { keep: Float64Array; alias: Int32Array } {
  const items = weights.length;
  const keep = new Float64Array(items).fill(fractionSteps);
  const alias = Int32Array.from({ length: items }, (_, i) => i);
  const small: number[] = [];
  const large: number[] = [];
  for (let i = 0; i < items; i++) (at(weights, i) < 1 ? small : large).push(i);
  const left = weights.slice();
  for (;;) {
    const under = small.pop();
    const over = large.pop();
    // What remains on either side is 1 but for rounding, and keeps itself.
    if (under === undefined || over === undefined) return { keep, alias };
    keep[under] = at(left, under) * fractionSteps;
    alias[under] = over;
    left[over] = at(left, over) - (1 - at(left, under));
    (at(left, over) < 1 ? small : large).push(over);
  }
}

/** Element of a table whose length bounds the index; the fallback is never taken. */
function at(table: Float64Array | Int32Array, index: number): number {
  return table[index] ?? 0;
}
