import { describe, expect, test } from "vitest";
import { Prng } from "../guest/prng.ts";
import { realPower } from "./power.ts";
import { shuffled, zipfSampler } from "./zipf-sampler.ts";

describe("deterministic real powers", () => {
  test("agree with Math.pow to 14 digits", () => {
    for (const base of [1, 1.5, 2, 3, 10, 511, 4096, 123_456, 4_194_304]) {
      for (const exponent of [0, 0.5, 0.99, 1, 1.2]) {
        expect(realPower(base, exponent) / base ** exponent).toBeCloseTo(1, 13);
      }
    }
  });
});

describe("the zipf sampler", () => {
  test("draws items as often as their rank says", () => {
    const items = 100;
    const draws = 200_000;
    const draw = zipfSampler(items, 0.99, new Prng(7));
    const counts = new Float64Array(items);
    for (let i = 0; i < draws; i++) {
      const item = draw();
      counts[item] = (counts[item] ?? 0) + 1;
    }
    const weights = Array.from({ length: items }, (_, i) => 1 / (i + 1) ** 0.99);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const sorted = [...counts].toSorted((a, b) => b - a);
    // Ranks 1 to 10 are far enough apart that sorting by count sorts by rank; four standard deviations.
    for (const rank of [0, 1, 2, 4, 9]) {
      const expected = ((weights[rank] ?? 0) / sum) * draws;
      expect(Math.abs((sorted[rank] ?? 0) - expected)).toBeLessThan(4 * Math.sqrt(expected));
    }
    expect(counts.every((count) => count > 0)).toBe(true);
  });

  test("scatters popular items over the range", () => {
    const draw = zipfSampler(1024, 0.99, new Prng(1));
    const counts = new Float64Array(1024);
    for (let i = 0; i < 50_000; i++) {
      const item = draw();
      counts[item] = (counts[item] ?? 0) + 1;
    }
    const top = [...counts.keys()].toSorted((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0));
    const hottest = top.slice(0, 8);
    expect(Math.max(...hottest) - Math.min(...hottest)).toBeGreaterThan(256);
  });

  test("works for a single item", () => {
    expect(zipfSampler(1, 0.99, new Prng(1))()).toBe(0);
  });

  test("shuffling keeps every number once", () => {
    expect([...shuffled(1000, new Prng(3))].toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i),
    );
  });
});
