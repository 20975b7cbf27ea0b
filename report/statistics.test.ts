import fc from "fast-check";
import { expect, test } from "vitest";
import { halfRange, summarize } from "./statistics.ts";
import { geometricMean } from "../bench/results/figures.ts";

test("three seeds give their middle, their ends, and quartiles half way", () => {
  expect(summarize([9, 1, 3])).toEqual({
    count: 3,
    median: 3,
    min: 1,
    max: 9,
    lowerQuartile: 2,
    upperQuartile: 6,
  });
  expect(halfRange(summarize([9, 1, 3]))).toBe(4);
});

test("an even number of values has its median between the middle two", () => {
  expect(summarize([4, 1, 3, 2]).median).toBe(2.5);
});

// Seen failing with a sort by text, `toSorted()`, which puts 10 before 9.
test("a summary is in order and does not depend on the order of its values", () => {
  const values = fc.array(fc.nat(1000), { minLength: 1, maxLength: 30, size: "max" });
  fc.assert(
    fc.property(values, (list) => {
      const { min, lowerQuartile, median, upperQuartile, max } = summarize(list);
      expect([min, lowerQuartile, median, upperQuartile, max]).toEqual(
        [min, lowerQuartile, median, upperQuartile, max].toSorted((a, b) => a - b),
      );
      expect(min).toBe(Math.min(...list));
      expect(max).toBe(Math.max(...list));
      expect(summarize(list.toReversed())).toEqual(summarize(list));
    }),
  );
});

test("a factor and its inverse cancel in the geometric mean", () => {
  expect(geometricMean([0.5, 2])).toBeCloseTo(1, 12);
  expect(geometricMean([1, 10, 100])).toBeCloseTo(10, 12);
});
