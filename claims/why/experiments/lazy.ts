/**
 * What lazy shadow paging saved over trapping every PTE store, and what an emptied shadow costs.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import type { Experiment } from "../experiment.ts";
import { six } from "../../../bench/results/figures.ts";
import { rowNames } from "../findings.ts";
import { programName, programs } from "../programs.ts";

/** Without KPTI: this is about PTE stores, and CR3 loads would hide them. */
const shown = [
  programs.forkwait,
  programs.cowSnapshot,
  programs.mmapChurn,
  programs.mprotectGc,
  programs.compile,
];
const engines = ["native", "shadow-vtlb", "shadow", "shadow-lazy"] as const;

export const lazy: Experiment = {
  title: "What did lazy shadow paging save?",
  points: engines.flatMap((engine) => shown.map((program) => ({ ...program, engine }))),

  read({ row, native }) {
    const table = shown.map((program) => {
      const of = (engine: string) => row({ ...program, engine });
      const bare = native({ ...program, engine: "shadow" }).cyclesTotal;
      const [trap, late] = [of("shadow"), of("shadow-lazy")];
      const addedByTrap = trap.cyclesTotal - bare;
      return {
        program: programName(program),
        exitsTrap: trap.counters.exits,
        exitsLazy: late.counters.exits,
        slowdownVtlb: six(of("shadow-vtlb").slowdown ?? Number.NaN),
        slowdownTrap: six(trap.slowdown ?? Number.NaN),
        slowdownLazy: six(late.slowdown ?? Number.NaN),
        savedPercent: six((100 * (trap.cyclesTotal - late.cyclesTotal)) / addedByTrap),
      };
    });
    const winners = table.filter(({ savedPercent }) => savedPercent > 0);
    const exits = table.reduce((sum, { exitsTrap, exitsLazy }) => sum + exitsTrap / exitsLazy, 0);
    const saved = table.map(({ program, savedPercent }) => say`${program} ${savedPercent}%`);
    const vtlb = table.map(({ slowdownVtlb, slowdownLazy }) => slowdownVtlb / slowdownLazy);
    return {
      claim: say`Leaving leaf tables out of sync turns an exit per PTE store into one per table and flush, and took away part of the overhead; what is left are #PF, INVLPG and CR3 exits that no laziness avoids.`,
      number: say`Trap-on-write takes ${exits / table.length} times the exits on average. Of its overhead lazy sync saves: ${joined(saved, ", ")}. Emptying the shadow at each CR3 write (virtual TLB) costs up to ${Math.max(...vtlb)} times lazy shadow's run time.`,
      evidence: say`${rowNames(engines.flatMap((engine) => shown.map((program) => row({ ...program, engine }))))}; lazy.csv`,
      change: say`Guests that flush after every store leave nothing to batch. Xen published 7 to 25% of build time saved by its own version.`,
      checks: [
        {
          direction: "lazy sync saves cycles on every such program",
          holds: winners.length === table.length,
        },
        { direction: "it takes fewer exits on average", holds: exits / table.length > 1 },
      ],
      tables: [{ name: "lazy", rows: table }],
      figures: [],
    };
  },
};
