/**
 * The price of an exit at which both schemes cost the same, per program: below it shadow paging would win.
 */
import { joined, say } from "../answer.ts";
import { cyclesIn } from "../cycle-groups.ts";
import type { Experiment } from "../experiment.ts";
import { six } from "../figures.ts";
import { rowNames } from "../findings.ts";
import { programName, programs, recordings } from "../programs.ts";

const shown = [...Object.values(programs), ...recordings];
const engines = ["native", "shadow-lazy", "ept"] as const;

export const breakEven: Experiment = {
  title: "How cheap would an exit have to be?",
  points: engines.flatMap((engine) => shown.map((program) => ({ ...program, engine }))),

  read({ row }) {
    const table = shown.map((program) => {
      const [shadow, ept] = ["shadow-lazy", "ept"].map((engine) => {
        const one = row({ ...program, engine });
        const exits = cyclesIn(one, "exits");
        return { one, exits, others: one.cyclesTotal - exits, count: one.counters.exits };
      });
      if (!shadow || !ept) throw new Error("why: two schemes");
      // Both schemes are a sum without exits, plus exits times their price.
      const price = (ept.others - shadow.others) / (shadow.count - ept.count);
      return {
        program: programName(program),
        breakEvenCycles: Number.isFinite(price) ? six(price) : 0,
        paidCycles: six(shadow.exits / Math.max(1, shadow.count)),
        exitsShadow: shadow.count,
        exitsEpt: ept.count,
        winner: shadow.one.cyclesTotal < ept.one.cyclesTotal ? "shadow-lazy" : "ept",
      };
    });
    const exiting = table.filter(({ exitsShadow, exitsEpt }) => exitsShadow > exitsEpt);
    const never = exiting.filter(({ breakEvenCycles }) => breakEvenCycles <= 0);
    const some = exiting.filter(({ breakEvenCycles }) => breakEvenCycles > 0);
    const paid = Math.max(...table.map(({ paidCycles }) => paidCycles));
    return {
      claim: say`Cheaper exits alone would not bring shadow paging back: what a handler does behind the exit already costs more than EPT's walks.`,
      number: say`Of ${exiting.length} programs on which shadow exits more often, ${never.length} would lose with exits for free. Break-even prices of the others, cycles: ${joined(
        some.map(({ program, breakEvenCycles }) => say`${program} ${breakEvenCycles}`),
        ", ",
      )}; paid: ${paid}.`,
      evidence: say`${rowNames(engines.flatMap((engine) => shown.map((program) => row({ ...program, engine }))))}; break-even.csv`,
      change: say`Cheaper handlers, not cheaper exits: their prices are assumed, and they decide this claim.`,
      checks: [
        {
          direction: "most programs that exit more would lose even with free exits",
          holds: never.length * 2 > exiting.length,
        },
      ],
      tables: [{ name: "break-even", rows: table }],
      figures: [],
    };
  },
};
