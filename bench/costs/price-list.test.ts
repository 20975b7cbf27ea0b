import { expect, test } from "vitest";
import { costPresets, readCost } from "./cost-file.ts";
import { assumedText, priceList, scaled } from "./price-list.ts";

// Seen failing: a walk through the events alone; a path that names the section twice.
test.each(costPresets)("every price of %s is listed and can be scaled alone", (name) => {
  const cost = readCost(name);
  const list = priceList(name);
  expect(list.length).toBe(104);
  for (const price of list) {
    if (price.cycles === 0) continue;
    const changed = scaled(cost, new Map([[price.name, 2]]));
    const differs = priceDifferences(cost, changed);
    expect(differs, price.name).toBe(price.cycles);
  }
});

test("nothing is scaled but what is named", () => {
  const cost = readCost("skylake-sp");
  expect(scaled(cost, new Map())).toEqual(cost);
});

test("what is assumed is counted", () => {
  expect(assumedText(["skylake-sp", "zen2"])).toBe("skylake-sp 80 of 104, zen2 104 of 104");
});

/** By how much all numbers of one exceed those of the other. */
function priceDifferences(before: unknown, after: unknown): number {
  if (typeof before === "number") return Number(after) - before;
  if (typeof before !== "object" || before === null) return 0;
  return Object.entries(before).reduce(
    (total, [name, field]) =>
      total + priceDifferences(field, (after as Record<string, unknown>)[name]),
    0,
  );
}
