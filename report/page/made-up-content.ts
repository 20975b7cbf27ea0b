/**
 * For tests: a page of made-up results, priced as real ones are.
 */
import { costPresets, presetCosts, readCost } from "../../bench/costs/cost-file.ts";
import { reprice } from "../../bench/costs/price-rows.ts";
import type { PointKey } from "../../bench/results/result.ts";
import { bars } from "../charts/bars.ts";
import { waterfall } from "../charts/waterfall.ts";
import { syntheticRows } from "../synthetic.ts";
import type { PageContent } from "./content.ts";
import { madeUpAnswer } from "./made-up-answer.ts";

export const shippedCosts = () =>
  Object.fromEntries(costPresets.map((name) => [name, readCost(name)]));

const figures = {
  walks: bars({
    title: "Walks",
    remarks: ["made up"],
    axisTitle: "references",
    legendTitle: "dimension",
    parts: [{ name: "guest", colour: "#0072b2" }],
    panels: [{ name: "all", bars: [{ name: "ept", values: [24] }] }],
  }),
  programs: bars({
    title: "Many programs",
    remarks: ["made up", "as many panels and bars as a figure has"],
    axisTitle: "run time over native",
    legendTitle: "cause",
    parts: [
      { name: "guest", colour: "#0072b2" },
      { name: "hypervisor software", colour: "#882255" },
    ],
    panels: ["gups", "zipf", "btree", "key-value", "compile", "forkwait", "syscalls"].map(
      (name) => ({
        name,
        bars: ["native", "shadow", "shadow-lazy", "ept"].map((engine, index) => ({
          name: engine,
          values: [1, index / 2],
        })),
      }),
    ),
  }),
  gap: waterfall({
    title: "Gap",
    remarks: [],
    axisTitle: "cycles",
    panels: ["little", "some", "much"].map((column, index) => ({
      row: "zipf",
      column,
      start: { name: "start", value: 1 },
      parts: [{ name: "walks", value: index + 1 }],
      whole: { name: "gap", value: index + 2 },
    })),
  }),
};

export function madeUpContent(): PageContent {
  const all = syntheticRows({ engines: 6, workloads: 17, seeds: 2 });
  const engines = new Set(["native", "shadow", "shadow-lazy", "ept"]);
  const programs = new Set(["uniform", "zipf", "gups", "fork-storm", "key-value"]);
  const isShown = ({ key }: { readonly key: PointKey }) =>
    engines.has(key.engine) && programs.has(key.workload);
  const points = all.points.filter(isShown);
  const walks = all.walks.filter(isShown);
  const answers = [
    madeUpAnswer("Why", [
      { figures: ["walks"] },
      { figures: ["gap"] },
      { figures: ["programs", "walks"] },
    ]),
  ];
  return {
    rows: { points: reprice(points, presetCosts()), walks },
    titles: { uniform: "Uniform random access" },
    costs: shippedCosts(),
    manifest: { config: { sweep: { title: "made up" } } },
    host: { node: "any" },
    why: { answers, figures, tables: {} },
    published: null,
  };
}
