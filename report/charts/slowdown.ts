/**
 * The overview: slowdown of every engine on every workload, the fastest of each line framed.
 */
import { baselineEngine } from "../../bench/results/result.ts";
import { caseLabels, type Chart, frame, type Layer } from "../chart.ts";
import { rounded, short } from "../format.ts";
import { scoreCase } from "../score.ts";
import { inkColour } from "../theme.ts";

/** A colour means the same in every picture, whatever it shows; beyond it all is as dark. */
const darkest = 20;
/** Round numbers along the logarithmic legend. */
const legendSteps = [1, 1.5, 2, 3, 5, 10, 20];

export const slowdown: Chart = {
  question: "Which engine suits which program?",
  spec(setting) {
    const labels = caseLabels(setting);
    const engines = setting.engines.filter((engine) => engine !== baselineEngine);
    const data = setting.cases.flatMap((one) => {
      const { summaries, winners } = scoreCase(one, "slowdown");
      return engines.flatMap((engine) => {
        const summary = summaries.get(engine);
        if (summary === undefined) return [];
        const { median, min, max } = summary;
        const isWinner = winners.has(engine);
        const text = short(median);
        return [{ case: labels.get(one), engine, median, min, max, text, isWinner }];
      });
    });
    if (data.length === 0) return null;
    const width = Math.max(56, ...engines.map((engine) => engine.length * 7));
    return {
      ...frame("Slowdown over native: which engine suits which program", setting, [
        "Medians; framed: fastest, or not to be told from it",
      ]),
      data: { values: data },
      width: { step: width },
      height: { step: 24 },
      encoding: axes(engines, [...labels.values()]),
      layer: [cellLayer, winnerLayer, figureLayer],
    };
  },
};

function axes(engines: readonly string[], cases: readonly string[]) {
  const quietAxis = { domain: false, ticks: false, labelFontSize: 12, title: null };
  return {
    x: {
      field: "engine",
      type: "nominal" as const,
      sort: [...engines],
      axis: { ...quietAxis, orient: "top" as const, labelAngle: 0 },
    },
    y: {
      field: "case",
      type: "nominal" as const,
      sort: [...cases],
      axis: { ...quietAxis, labelPadding: 8 },
    },
  };
}

const cellLayer: Layer = {
  mark: { type: "rect", stroke: "white", strokeWidth: 2 },
  encoding: {
    color: {
      field: "median",
      type: "quantitative",
      title: "slowdown over native (x), logarithmic",
      scale: { type: "log", domain: [1, darkest], clamp: true, scheme: "yelloworangebrown" },
      legend: { orient: "bottom", gradientLength: 300, format: "~g", values: legendSteps },
    },
  },
};

const winnerLayer: Layer = {
  transform: [{ filter: "datum.isWinner" }],
  mark: {
    type: "rect",
    filled: false,
    stroke: inkColour,
    strokeWidth: 1.5,
    // Inside the cell, so that frames of neighbours stay apart.
    width: { band: 0.94 },
    height: { band: 0.86 },
  },
};

/** White on the dark half of the scale. */
const figureLayer: Layer = {
  mark: { type: "text", fontSize: 12 },
  encoding: {
    text: { field: "text" },
    color: {
      condition: { test: `datum.median > ${rounded(Math.sqrt(darkest))}`, value: "white" },
      value: inkColour,
    },
  },
};
