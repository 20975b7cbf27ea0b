import { expect, test } from "vitest";
import { svgOf } from "../render.ts";
import { publishedChart, type PublishedMark } from "./published.ts";

function mark(name: string, published: number, simulated: number, met: boolean): PublishedMark {
  return { name, class: "c", published, simulated, met };
}

const marks = [
  mark("good one", 10, 10, true),
  ...Array.from({ length: 12 }, (_, index) => mark(`bad ${index}`, 5, 2 + index / 100, false)),
  mark("zero", 0, 0, true),
];

test("every missed claim is named once, met ones are not", async () => {
  const svg = await svgOf(publishedChart(marks, 0.25));
  for (let index = 0; index < 12; index++) {
    expect(svg.match(new RegExp(`>bad ${index}<`, "g"))).toHaveLength(1);
  }
  expect(svg).not.toContain(">good one<");
  expect(svg).toContain("1 claims with a zero");
});

// Seen failing with each label at the height of its own mark.
test("labels of claims with nearly the same value keep apart and inside", async () => {
  const svg = await svgOf(publishedChart(marks, 0.25));
  const heights = [...svg.matchAll(/translate\([\d.]+,([\d.]+)\)"[^>]*>bad/g)]
    .map(([, y]) => Number(y))
    .toSorted((a, b) => a - b);
  expect(heights).toHaveLength(12);
  for (let i = 1; i < heights.length; i++) {
    expect((heights[i] ?? 0) - (heights[i - 1] ?? 0)).toBeGreaterThan(10);
  }
});
