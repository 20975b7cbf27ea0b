import { describe, expect, it } from "vitest";
import type { Finding, WrittenAnswer, WrittenFinding } from "../bench/results/result.ts";
import { answerCharts, answerMarkdown, answerText, sentenceText } from "./answer.ts";
import { svgOf } from "./render.ts";

const part: Finding = {
  claim: ["A walk takes ", 24, " references."],
  number: [1.23456, " against ", -0.5, "; none is ", Number.NaN],
  evidence: ["points.csv"],
  change: ["Caches."],
  checks: [
    { direction: "longer", holds: true },
    { direction: "slower", holds: true },
  ],
  tables: [],
  figures: [
    {
      kind: "waterfall",
      name: "gap",
      data: {
        title: "Gap",
        remarks: ["a <remark> & more"],
        axisTitle: "cycles (%)",
        panels: [
          {
            row: "compile",
            column: "compute x 1",
            start: { name: "start", value: 10 },
            parts: [
              { name: "up", value: 30 },
              { name: "down", value: -55 },
            ],
            whole: { name: "gap", value: -15 },
          },
        ],
      },
    },
    {
      kind: "frontier",
      name: "map",
      data: {
        title: "Map",
        remarks: [],
        winners: ["EPT", "shadow"],
        maps: [
          {
            name: "a processor",
            slope: 0.5,
            cells: [
              { misses: [1, 10], updates: [1, 10], ratio: 2 },
              { misses: [10, 100], updates: [1, 10], ratio: 0.25 },
            ],
            programs: [
              { name: "far", misses: 0, updates: 1e6, ratio: 3 },
              { name: "near", misses: 0, updates: 1e6, ratio: 3 },
            ],
          },
        ],
      },
    },
    {
      kind: "bars",
      name: "bars",
      data: {
        title: "Bars",
        remarks: [],
        axisTitle: "references",
        legendTitle: "dimension",
        parts: [
          { name: "guest", colour: "#0072b2" },
          { name: "nested", colour: "#56b4e9" },
        ],
        panels: [{ name: "cold", bars: [{ name: "ept", values: [4, 20] }] }],
      },
    },
  ],
};

const finding: WrittenFinding = {
  ...part,
  name: "walks",
  title: "How long is a walk?",
  tables: [],
  figures: part.figures.map(({ name }) => name),
};

function answerOf(one: WrittenFinding): WrittenAnswer {
  return { title: "Why?", findings: [one] };
}

const rows = { points: [], walks: [] };

function specOf(name: string): string {
  const found = answerCharts([part], rows).find((one) => one.name === name);
  return JSON.stringify(found?.spec);
}

describe("text of an answer", () => {
  it("rounds numbers, keeps whole ones and signs, and shows none as a dash", () => {
    expect(sentenceText(part.claim)).toBe("A walk takes 24 references.");
    expect(sentenceText(part.number)).toBe("1.23 against -0.50; none is -");
  });

  it("says so when the run does not bear a claim out", () => {
    const failed = { ...finding, checks: [{ direction: "slower", holds: false }] };
    expect(answerText(answerOf(failed), 80)).toContain("NOT BORNE OUT by this run (slower)");
    expect(answerMarkdown(answerOf(failed))).toContain("**does not hold**: slower");
    expect(answerText(answerOf(finding), 80)).not.toContain("NOT BORNE OUT");
  });

  it("stays within the terminal", () => {
    for (const line of answerText(answerOf(finding), 60).split("\n")) {
      expect(line.length).toBeLessThanOrEqual(60);
    }
  });

  it("shows each figure of a claim below it", () => {
    const text = answerMarkdown(answerOf(finding));
    for (const name of finding.figures) expect(text).toContain(`(charts/${name}.png)`);
  });
});

describe("charts of an answer", () => {
  it("draws every kind", async () => {
    const specs = answerCharts([part], rows);
    expect(specs.map(({ name }) => name)).toEqual(["gap", "map", "bars"]);
    for (const { spec } of specs) {
      const svg = await svgOf(spec);
      expect(svg).not.toMatch(/NaN|undefined/);
    }
  });

  it("stands a waterfall's parts on each other", () => {
    const spec = specOf("gap");
    expect(spec).toContain('"name":"up","kind":"adds","from":10,"to":40');
    expect(spec).toContain('"name":"down","kind":"takes away","from":40,"to":-15');
    expect(spec).toContain('"name":"gap","from":0,"to":-15'.replace('"name":"gap",', ""));
  });

  it("keeps programs beyond a map's edge on it, none hiding another", () => {
    const places = [...specOf("map").matchAll(/"number":"\d","x":([\d.]+),"y":([\d.]+)/g)];
    const [first, second] = places.map(([, x, y]) => [Number(x), Number(y)]);
    expect(first?.[1]).toBe(second?.[1]);
    expect(first?.[0]).not.toBe(second?.[0]);
    for (const [x = 0, y = 0] of [first ?? [], second ?? []]) {
      expect(x).toBeGreaterThan(1);
      expect(x).toBeLessThan(100);
      expect(y).toBeLessThan(10);
    }
  });

  it("cuts the closed form's line off at the map's edge", async () => {
    expect(specOf("map")).toContain('[{"misses":2,"updates":1},{"misses":20,"updates":10}]');
  });
});
