/**
 * How many references a walk takes: by the closed form, with walk caches, with 2 MiB pages.
 */
import { assert } from "../../../machine/assert.ts";
import { say } from "../../../bench/results/answer.ts";
import type { Experiment } from "../experiment.ts";
import { referencesPerWalk, six } from "../../../bench/results/figures.ts";
import { rowNames } from "../findings.ts";
import type { WhyPoint } from "../plan.ts";

const small = {
  workload: "uniform",
  params: { pages: 8192, accesses: 40_000 },
  backing: "4k",
} as const;
/** Beyond the TLB's reach with 2 MiB pages as well: 4 GiB, two 2 MiB pages for each STLB entry's worth. */
const large = {
  workload: "uniform",
  params: { pages: 1_048_576, accesses: 40_000, pageSize: "2m" },
  backing: "2m",
} as const;
/** Without a TLB any size will do. */
const largePages = {
  workload: "uniform",
  params: { ...small.params, pageSize: "2m" },
  backing: "2m",
} as const;
const engines = ["native", "shadow-lazy", "ept"] as const;

interface Line {
  readonly name: string;
  readonly program: Omit<WhyPoint, "engine">;
}

const lines: readonly Line[] = [
  { name: "no caches, 4 levels", program: { ...small, preset: "textbook" } },
  { name: "no caches, 5 levels", program: { ...small, preset: "textbook", levels: "5-on-5" } },
  { name: "no caches, 2 MiB pages", program: { ...largePages, preset: "textbook" } },
  { name: "walk caches", program: small },
  { name: "walk caches, 2 MiB pages", program: large },
];

export const walkReferences: Experiment = {
  title: "How long is a walk?",
  points: lines.flatMap(({ program }) => engines.map((engine) => ({ ...program, engine }))),

  read({ row }) {
    const table = lines.map(({ name, program }) => {
      const of = (engine: string) => referencesPerWalk(row({ ...program, engine }));
      return { name, native: of("native"), shadow: of("shadow-lazy"), ept: of("ept") };
    });
    const [cold, cold5, cold2m, cached, cached2m] = table;
    assert(
      cold !== undefined &&
        cold5 !== undefined &&
        cold2m !== undefined &&
        cached !== undefined &&
        cached2m !== undefined,
      "why: a line is missing",
    );
    const rows = lines.flatMap(({ program }) =>
      engines.map((engine) => row({ ...program, engine })),
    );
    return {
      claim: say`A nested walk is ${cold.ept / cold.shadow} times as long by the book, ${cached.ept / cached.shadow} times with caches.`,
      number: say`References per walk, shadow/EPT: ${cold.shadow}/${cold.ept} without caches, ${cold5.shadow}/${cold5.ept} at five levels, ${cold2m.shadow}/${cold2m.ept} with 2M pages; with walk caches ${cached.shadow}/${cached.ept} over 32 MiB at random, ${cached2m.shadow}/${cached2m.ept} with 2M pages over 4 GiB.`,
      evidence: say`${rowNames(rows)}; walk-references.csv, chart walk-references`,
      change: say`A working set beyond the reach of the walk caches brings the book's figures back; see the frontier.`,
      checks: [
        { direction: "by the book 24 against 4", holds: cold.ept === 24 && cold.shadow === 4 },
        { direction: "caches take away most of both", holds: cached.ept < cold.ept / 4 },
        { direction: "2M pages shorten the walk", holds: cold2m.ept < cold.ept },
      ],
      tables: [
        {
          name: "walk-references",
          rows: table.map(({ name, native, shadow, ept }) => ({
            case: name,
            referencesNative: six(native),
            referencesShadow: six(shadow),
            referencesEpt: six(ept),
          })),
        },
      ],
      figures: [
        {
          kind: "bars",
          name: "walk-references",
          data: {
            title: "References per page walk",
            remarks: ["Uniform random access; skylake-sp where there are caches"],
            axisTitle: "memory references per walk",
            legendTitle: "dimension",
            parts: [
              { name: "guest (or shadow) tables", colour: "#0072b2" },
              { name: "nested tables", colour: "#56b4e9" },
            ],
            panels: lines.map(({ name, program }) => ({
              name,
              bars: engines.map((engine) => {
                const { walks, walkReferencesGuest, walkReferencesNested } = row({
                  ...program,
                  engine,
                }).counters;
                return {
                  name: engine,
                  values: [walkReferencesGuest / walks, walkReferencesNested / walks],
                };
              }),
            })),
          },
        },
      ],
    };
  },
};
