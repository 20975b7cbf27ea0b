/**
 * The price of an exit at which both schemes cost the same, per program: below it shadow paging would win.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { cyclesIn } from "../cycle-groups.ts";
import type { Experiment } from "../experiment.ts";
import { six } from "../../../bench/results/figures.ts";
import { isolated, programName, programs, recordings } from "../programs.ts";

const { boot, keyValue, syscalls } = programs;
const shown = [
  ...Object.values(programs),
  ...[boot, keyValue, syscalls].map((program) => isolated(program)),
  ...recordings,
];
const engines = ["native", "shadow-lazy", "ept"] as const;

export const breakEven: Experiment = {
  title: "How cheap would an exit have to be?",
  points: engines.flatMap((engine) => shown.map((program) => ({ ...program, engine }))),

  read({ row }) {
    const table = shown.map((program) => {
      const [shadow, ept] = [
        row({ ...program, engine: "shadow-lazy" }),
        row({ ...program, engine: "ept" }),
      ];
      const exits = Math.max(1, shadow.counters.exits);
      const handled = cyclesIn(shadow, "exits") + cyclesIn(shadow, "software");
      const switched = cyclesIn(shadow, "exits");
      return {
        program: programName(program),
        idShadow: shadow.key.id,
        idEpt: ept.key.id,
        exitsShadow: shadow.counters.exits,
        exitsEpt: ept.counters.exits,
        // What one of shadow's exits may cost so that both schemes cost the same.
        breakEvenSwitchCycles: six((ept.cyclesTotal - (shadow.cyclesTotal - switched)) / exits),
        paidSwitchCycles: six(switched / exits),
        breakEvenHandledCycles: six((ept.cyclesTotal - (shadow.cyclesTotal - handled)) / exits),
        paidHandledCycles: six(handled / exits),
        winner: shadow.cyclesTotal < ept.cyclesTotal ? "shadow-lazy" : "ept",
      };
    });
    const exiting = table.filter(({ exitsShadow, exitsEpt }) => exitsShadow > exitsEpt);
    const never = exiting.filter(({ breakEvenSwitchCycles }) => breakEvenSwitchCycles <= 0);
    const lost = exiting.filter(({ winner }) => winner === "ept");
    const prices = exiting.map(
      ({ program, breakEvenHandledCycles, paidHandledCycles }) =>
        say`${program} ${breakEvenHandledCycles}/${paidHandledCycles}`,
    );
    const isHopeless = never.length * 2 > lost.length;
    return {
      claim: isHopeless
        ? say`A free switch would not bring shadow paging back: the hypervisor's work behind an exit alone costs more than EPT's longer walks.`
        : say`A cheaper switch would bring shadow paging back for most programs that it loses today.`,
      number: say`With the switch for free lazy shadow would still lose ${never.length} of the ${lost.length} programs that it loses. Cycles that an exit may cost with all that is done for it, and what it costs: ${joined(prices, ", ")}.`,
      evidence: say`break-even.csv, which names the two rows of points.csv behind each program`,
      change: say`Cheaper handlers: most of their prices are assumed, and this claim rests on them. Below zero: EPT is faster even before the first exit is paid.`,
      checks: [
        {
          direction: "every program that exits more and loses pays more than its break-even price",
          holds: lost.every((one) => one.paidHandledCycles > one.breakEvenHandledCycles),
        },
        { direction: "most would lose with a free switch", holds: isHopeless },
      ],
      tables: [{ name: "break-even", rows: table }],
      figures: [],
    };
  },
};
