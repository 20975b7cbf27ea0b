/**
 * The overview: slowdown of every engine on every workload, the fastest of each line framed.
 */
import { baselineEngine } from "../../bench/result.ts";
import { caseLabels, type Chart, frame } from "../chart.ts";
import { short } from "../format.ts";
import { scoreCase } from "../score.ts";
import { inkColour } from "../theme.ts";

export const slowdown: Chart = {
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
    const most = Math.max(2, ...data.map(({ median }) => median));
    const width = Math.max(56, ...engines.map((engine) => engine.length * 7));
    return {
      ...frame("Slowdown over native: which engine suits which program", setting, [
        "Medians; framed: fastest, or not to be told from it",
      ]),
      data: { values: data },
      width: { step: width },
      height: { step: 24 },
      encoding: {
        x: {
          field: "engine",
          type: "nominal",
          sort: engines,
          title: null,
          axis: { orient: "top", labelAngle: 0, domain: false, ticks: false, labelFontSize: 11 },
        },
        y: {
          field: "case",
          type: "nominal",
          sort: [...labels.values()],
          title: null,
          axis: { domain: false, ticks: false, labelFontSize: 11, labelPadding: 8 },
        },
      },
      layer: [
        {
          mark: { type: "rect", stroke: "white", strokeWidth: 2 },
          encoding: {
            color: {
              field: "median",
              type: "quantitative",
              title: "slowdown over native (x), logarithmic",
              scale: { type: "log", domain: [1, most], clamp: true, scheme: "yelloworangebrown" },
              legend: { orient: "bottom", gradientLength: 260, format: "~g" },
            },
          },
        },
        {
          transform: [{ filter: "datum.isWinner" }],
          mark: { type: "rect", filled: false, stroke: inkColour, strokeWidth: 1.5 },
        },
        {
          mark: { type: "text", fontSize: 11 },
          encoding: {
            text: { field: "text" },
            // White on the dark half of the scale.
            color: {
              condition: { test: `datum.median > ${Math.sqrt(most)}`, value: "white" },
              value: inkColour,
            },
          },
        },
      ],
    };
  },
};
