import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { citedIds, evaluate, readPublishedRows } from "./cost-formula.ts";
import {
  costPresets,
  defaultCostPreset,
  parseCost,
  presetCosts,
  presetPath,
  type Price,
  readCost,
} from "./cost-file.ts";
import { ConfigError } from "../input/config-error.ts";

const rows = readPublishedRows();
const skylake = readFileSync(presetPath("skylake-sp"), "utf8");

/** Every price of a file with the field it stands in. */
function pricesOf(node: unknown, field = ""): { field: string; price: Price }[] {
  if (typeof node !== "object" || node === null) return [];
  if ("cycles" in node) return [{ field, price: node as Price }];
  return Object.entries(node).flatMap(([name, inner]) => pricesOf(inner, `${field}.${name}`));
}

test.each(costPresets)("%s: each cited row exists and gives the number beside it", (name) => {
  const prices = pricesOf(parse(readFileSync(presetPath(name), "utf8")));
  expect(prices.length).toBeGreaterThan(70);
  for (const { field, price } of prices) {
    if (price.source === "assumed") {
      expect(price.reason, field).toBeTruthy();
      continue;
    }
    for (const id of citedIds(price.source)) expect(rows.has(id), `${field}: ${id}`).toBe(true);
    const value = evaluate(price.source, rows);
    expect(value, field).toBeCloseTo(price.cycles, 0);
  }
});

test("each published row that travels with the project is cited by some cost file", () => {
  const texts = costPresets.map((name) => readFileSync(presetPath(name), "utf8"));
  const cited = new Set(
    texts.flatMap((text) => pricesOf(parse(text))).flatMap(({ price }) => citedIds(price.source)),
  );
  expect([...rows.keys()].filter((id) => !cited.has(id))).toEqual([]);
});

test("each machine preset is priced by the file of its name, the others by the default", () => {
  const costFor = presetCosts();
  expect(costFor("nehalem").name).toBe("nehalem");
  expect(costFor("textbook").name).toBe(defaultCostPreset);
  expect(costFor("nehalem")).toBe(costFor("nehalem"));
});

function complaint(text: string): string {
  try {
    parseCost(text, "my.yaml");
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  return "";
}

function edited(from: string | RegExp, to: string): string {
  const text = skylake.replace(from, to);
  expect(text).not.toBe(skylake);
  return text;
}

test.each([
  ["NaN", "cycles: .nan", "NaN: must be a number of cycles, 0 or more"],
  ["a negative number", "cycles: -1", "-1: must be 0 or more"],
  ["infinity", "cycles: .inf", "Infinity: must be a number of cycles, 0 or more"],
  ["a word", "cycles: many", '"many": must be a number of cycles, 0 or more'],
])("%s is refused with file, line, field, value and what is allowed", (_, to, problem) => {
  const text = edited("access:\n    cycles: 1", `access:\n    ${to}`);
  expect(complaint(text)).toBe(`my.yaml:6: guest.access.cycles: ${problem}`);
});

test("a missing price names its section", () => {
  const text = edited(/  invlpg:\n(?:    .*\n){3}/, "");
  expect(complaint(text)).toMatch(/^my\.yaml:\d+: guest\.invlpg: missing: /);
});

test("an unknown field lists the known ones", () => {
  const text = edited(
    "guest:\n",
    "guest:\n  sysenter: { cycles: 1, source: assumed, reason: x }\n",
  );
  expect(complaint(text)).toMatch(
    /^my\.yaml:5: guest\.sysenter: unknown field\. Allowed: access, /,
  );
});

test("a number that does not follow from its source is refused", () => {
  const text = edited("cycles: 1529", "cycles: 1600");
  expect(complaint(text)).toMatch(
    /^my\.yaml:\d+: exits\.PageFault\.direct\.cycles: 1600: its source says EX-001\[2\] = 1529$/,
  );
});

test("an assumed number without a reason is refused", () => {
  const text = edited(/(access:\n    cycles: 1\n    source: assumed)\n.*\n/, "$1\n");
  expect(complaint(text)).toBe(
    "my.yaml:7: guest.access.source: assumed: a reason must stand beside it",
  );
});

test("a source that is neither a row nor assumed is refused", () => {
  const text = edited("source: EX-001[2]", "source: hearsay");
  expect(complaint(text)).toContain('cannot read "hearsay"; allowed: "assumed", "measured"');
});

test("an unknown cost file lists the shipped ones", () => {
  expect(() => readCost("skylak")).toThrow(
    /cost file "skylak": unknown\..* Allowed: p4-vtx, core2, nehalem, skylake-sp, cascade-lake, zen2$/,
  );
});
