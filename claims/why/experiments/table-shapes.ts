/**
 * Other shapes of the nested tables: one flat array, and pairs of levels in tables of 2 MiB.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { referencesPerWalk, six, walkCycles } from "../../../bench/results/figures.ts";
import type { Experiment } from "../experiment.ts";
import { rowNames } from "../findings.ts";
import { programName } from "../programs.ts";

/** On host pages of 4 KiB, because a flat table has no larger leaves. */
const backing = "4k";
const shown = [
  { workload: "gups", params: { pages: 8192, updateOps: 50_000 }, backing },
  { workload: "zipf", params: { pages: 16_384, accesses: 100_000 }, backing },
  { workload: "btree", params: { leaves: 8192, lookups: 10_000 }, backing },
  { workload: "key-value", params: { pages: 4096, requests: 2000, kpti: 1 }, backing },
] as const;
const engines = ["native", "ept", "ept-flat", "ept-folded"] as const;

export const tableShapes: Experiment = {
  title: "What do shorter nested tables save?",
  points: engines.flatMap((engine) => shown.map((program) => ({ ...program, engine }))),

  read({ row }) {
    const table = shown.map((program) => {
      const of = (engine: string) => row({ ...program, engine });
      const references = (engine: string) => six(referencesPerWalk(of(engine)));
      const saved = (engine: string) =>
        six(100 * (1 - walkCycles(of(engine)) / walkCycles(of("ept"))));
      return {
        program: programName(program),
        referencesNative: references("native"),
        referencesEpt: references("ept"),
        referencesFlat: references("ept-flat"),
        referencesFolded: references("ept-folded"),
        flatSavesWalkPercent: saved("ept-flat"),
        foldedSavesWalkPercent: saved("ept-folded"),
        eptTableKib: of("ept").counters.tableBytesPeak / 1024,
        flatTableKib: of("ept-flat").counters.tableBytesPeak / 1024,
        foldedTableKib: of("ept-folded").counters.tableBytesPeak / 1024,
      };
    });
    const saved = table.map(
      ({ program, flatSavesWalkPercent }) => say`${program} ${flatSavesWalkPercent}%`,
    );
    return {
      claim: say`Walk caches have taken most of what shorter nested tables could save: a cold walk is a third, the walks of a program hardly fewer.`,
      number: say`A flat table, 8 references cold where a tree has 24, saves of walk cycles: ${joined(saved, ", ")}.`,
      evidence: say`${rowNames(engines.flatMap((engine) => shown.map((program) => row({ ...program, engine }))))}; table-shapes.csv`,
      change: say`Without caches for nested walks, the cold figures count. A flat table has no large leaf: on 2 MiB host pages every TLB entry is a piece of one. Both want contiguous memory before they are used.`,
      checks: [
        {
          direction: "neither shape walks by more references than the tree",
          holds: table.every(
            ({ referencesEpt, referencesFlat, referencesFolded }) =>
              referencesFlat <= referencesEpt && referencesFolded <= referencesEpt,
          ),
        },
        {
          direction: "what is left to native is more than what they save",
          holds: table.every(
            ({ referencesNative, referencesEpt, referencesFlat }) =>
              referencesFlat - referencesNative >= referencesEpt - referencesFlat,
          ),
        },
      ],
      tables: [{ name: "table-shapes", rows: table }],
      figures: [],
    };
  },
};
