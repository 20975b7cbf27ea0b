/**
 * Why shadow paging still wins for some programs: a walk in one dimension, and no tables to keep up with.
 */
import { assert } from "../../../machine/assert.ts";
import { joined, say } from "../../../bench/results/answer.ts";
import type { Experiment } from "../experiment.ts";
import { over, perThousand, six, updatesPerThousand } from "../../../bench/results/figures.ts";
import { rowNames } from "../findings.ts";
import type { WhyPoint } from "../plan.ts";
import { programName, programs, recordings } from "../programs.ts";

const lookups = [programs.gups, programs.zipf, programs.btree];
const shown = [...lookups, ...recordings];
const large = {
  workload: "gups",
  params: { pageSize: "2m" },
  backing: "2m",
} as const;
const small = { ...programs.gups, backing: "4k" } as const;
/** 4 GiB: more 2 MiB pages than the TLB holds. */
const huge = { ...large, params: { ...large.params, pages: 1_048_576 } } as const;
const engines = ["native", "shadow-lazy", "ept"] as const;

export const shadowWins: Experiment = {
  title: "Why does shadow paging still win for some programs?",
  points: engines.flatMap((engine) =>
    [...shown, small, large, huge].map((program) => ({ ...program, engine })),
  ),

  read({ row }) {
    const ratioOf = (program: Omit<WhyPoint, "engine">) =>
      over(row({ ...program, engine: "ept" }), row({ ...program, engine: "shadow-lazy" }));
    const table = shown.map((program) => {
      const ept = row({ ...program, engine: "ept" });
      return {
        program: programName(program),
        eptOverShadow: six(ratioOf(program)),
        missesPerThousand: six(perThousand(ept, "stlbMisses")),
        updatesPerThousand: six(updatesPerThousand(ept)),
      };
    });
    const ofLookups = table.slice(0, lookups.length);
    const won = table.filter(({ eptOverShadow }) => eptOverShadow > 1.005);
    const ratios = table.map(({ program, eptOverShadow }) => say`${program} ${eptOverShadow}`);
    const withLarge = ratioOf(large);
    const withSmall = ratioOf(small);
    const [first] = ofLookups;
    assert(first !== undefined, "why: no program");
    return {
      claim: say`Once a program's tables stand still a shadow costs nothing and its walk is native's; EPT pays for its second dimension at each miss.`,
      number: say`EPT over lazy shadow, run time: ${joined(ratios, ", ")}. Shadow wins ${won.length} of these ${table.length} (by more than half a percent). 4 KiB guest pages on 2 MiB host pages; on 4 KiB ones gups is ${withSmall}. With 2 MiB pages in guest and host it falls from ${first.eptOverShadow} to ${withLarge} over the same 128 MiB, which then fit the TLB, and is ${ratioOf(huge)} over 4 GiB.`,
      evidence: say`${rowNames(engines.flatMap((engine) => shown.map((program) => row({ ...program, engine }))))}; shadow-wins.csv`,
      change: say`Large pages take shadow's lead away as far as they bring the working set into the TLB; any steady stream of updates, switches or KPTI system calls takes all of it (frontier).`,
      checks: [
        {
          direction: "shadow wins every program that only looks up",
          holds: ofLookups.every(({ eptOverShadow }) => eptOverShadow > 1),
        },
        { direction: "2 MiB pages shrink its lead", holds: withLarge < first.eptOverShadow },
      ],
      tables: [{ name: "shadow-wins", rows: table }],
      figures: [],
    };
  },
};
