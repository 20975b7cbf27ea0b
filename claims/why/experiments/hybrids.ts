/**
 * Shadow and nested tables together: agile paging, which needs new silicon, and switching the whole guest, which does not.
 *
 * Programs run long enough that either has made up its mind: what it learns by comes once.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { geometricMean, referencesPerWalk, six } from "../../../bench/results/figures.ts";
import type { Experiment } from "../experiment.ts";
import { rowNames } from "../findings.ts";
import { programName } from "../programs.ts";
import { schemeBars } from "../scheme-bars.ts";

const rests = [
  { workload: "gups", params: { pages: 8192, updateOps: 1_000_000 } },
  { workload: "zipf", params: { pages: 16_384, accesses: 3_000_000 } },
  { workload: "btree", params: { leaves: 16_384, lookups: 300_000 } },
] as const;
const stores = [
  { workload: "mmap-churn", params: { churnOps: 800 } },
  { workload: "compile", params: { jobs: 6, usedMemory: 1 } },
  { workload: "key-value", params: { pages: 16_384, requests: 30_000 } },
] as const;
/** Programs that rest, then those that store to their tables. */
export const hybridPrograms = [...rests, ...stores];
const shown = hybridPrograms;
const engines = ["native", "shadow", "shadow-lazy", "ept", "agile", "shsp"] as const;
/** Those of the chart alone. */
const shapes = ["ept-flat", "ept-folded"] as const;
const charted = [...engines.slice(0, 4), ...shapes, ...engines.slice(4)];

export const hybrids: Experiment = {
  title: "Do both together beat either?",
  points: [...engines, ...shapes].flatMap((engine) =>
    shown.map((program) => ({ ...program, engine })),
  ),

  read({ row, native }) {
    const table = shown.map((program) => {
      const slowdown = (engine: string) =>
        row({ ...program, engine }).cyclesTotal / native({ ...program, engine }).cyclesTotal;
      const better = Math.min(slowdown("shadow"), slowdown("shadow-lazy"), slowdown("ept"));
      return {
        program: programName(program),
        slowdownShadow: six(slowdown("shadow")),
        slowdownLazy: six(slowdown("shadow-lazy")),
        slowdownEpt: six(slowdown("ept")),
        slowdownAgile: six(slowdown("agile")),
        slowdownShsp: six(slowdown("shsp")),
        agileOverBetter: six(slowdown("agile") / better),
        shspOverBetter: six(slowdown("shsp") / better),
        agileReferencesPerWalk: six(referencesPerWalk(row({ ...program, engine: "agile" }))),
      };
    });
    const mean = (name: "slowdownLazy" | "slowdownEpt" | "slowdownAgile" | "slowdownShsp") =>
      geometricMean(table.map((line) => line[name]));
    const worst = Math.max(...table.map(({ shspOverBetter }) => shspOverBetter));
    const gains = table.map(
      ({ program, agileOverBetter }) => say`${program} ${100 * (1 - agileOverBetter)}%`,
    );
    const better = Math.min(mean("slowdownLazy"), mean("slowdownEpt"));
    return {
      claim: say`Both come within a few percent of the better side for every program, so either beats shadow and nested paging alone; agile paging, which needs new silicon, gains no more over these programs than changing sides as a whole, which needs none.`,
      number: say`Slowdown over native, mean of ${table.length}: lazy shadow ${mean("slowdownLazy")}, EPT ${mean("slowdownEpt")}, switching ${mean("slowdownShsp")} (at worst ${worst} times the better side), agile ${mean("slowdownAgile")}. Agile's gain over the better side: ${joined(gains, ", ")}.`,
      evidence: say`${rowNames(engines.flatMap((engine) => shown.map((program) => row({ ...program, engine }))))}; hybrids.csv`,
      change: say`What is learnt is learnt once: a program of a second pays more of it than one of an hour, agile paging most, which learns table by table. A guest whose processes differ has no better side as a whole. Agile paging asks silicon for a bit in entries by which a walk switches, and for roots that load without an exit; changing sides asks for nothing. Neither logs dirty pages here.`,
      checks: [
        {
          direction: "switching beats lazy shadow and EPT on average",
          holds: mean("slowdownShsp") < better,
        },
        { direction: "agile paging beats both on average", holds: mean("slowdownAgile") < better },
        { direction: "switching is within 5% of the better side", holds: worst < 1.05 },
        {
          direction: "agile paging gains no more than switching",
          holds: mean("slowdownAgile") >= mean("slowdownShsp"),
        },
      ],
      tables: [{ name: "hybrids", rows: table }],
      figures: [
        {
          kind: "bars",
          name: "schemes",
          data: schemeBars(
            shown.map((program) => ({
              program: programName(program),
              rows: charted.map((engine) => row({ ...program, engine })),
            })),
          ),
        },
      ],
    };
  },
};
