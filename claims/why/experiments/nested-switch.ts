/**
 * What shortens the round trip through L0: silicon that performs L1's instructions, or fewer exits to begin with.
 */
import { say } from "../../../bench/results/answer.ts";
import { over, six } from "../../../bench/results/figures.ts";
import type { Experiment } from "../experiment.ts";
import { nestedVariants } from "../engine-variants.ts";
import { rowNames } from "../findings.ts";
import { isolated, programName, programs } from "../programs.ts";

const { compile, keyValue } = programs;
// A system call exits where tables are isolated only.
const shown = [compile, keyValue, isolated(programs.syscalls)];
const plain = "shadow-lazy@npt";
const { virtualGif, virtualAll } = nestedVariants;
const steps = [plain, virtualGif, virtualAll, "npt@npt"] as const;

type Program = (typeof shown)[number];
const at = (engine: string, program: Program) => ({ ...program, engine, preset: "zen2" as const });

export const nestedSwitch: Experiment = {
  title: "What shortens the way through L0?",
  points: shown.flatMap((program) => ["native", ...steps].map((engine) => at(engine, program))),

  read({ row, native }) {
    const perExit = (engine: string, program: Program) => {
      const { counters } = row(at(engine, program));
      return (counters.exits - counters.l2ExitsHandled) / counters.reflectedExits;
    };
    const rows = shown.flatMap((program) =>
      steps.map((engine) => {
        const { counters } = row(at(engine, program));
        return {
          program: programName(program),
          engine,
          exitsL0: counters.exits,
          exitsL1: counters.reflectedExits,
          exitsPerExitOfL1: six(perExit(engine, program)),
          slowdown: six(over(row(at(engine, program)), native(at(engine, program)))),
        };
      }),
    );
    const slow = (engine: string, program: Program) =>
      over(row(at(engine, program)), native(at(engine, program)));
    return {
      claim: say`A virtual interrupt flag, and VMLOAD and VMSAVE without exits, take the round trip from eight exits to three. The largest saving is not to exit: nested tables at both levels.`,
      number: say`Compile, slowdown over bare metal: shadow on NPT ${slow(plain, compile)}x, with virtual GIF ${slow(virtualGif, compile)}x, with virtual VMLOAD and VMSAVE as well ${slow(virtualAll, compile)}x, NPT on NPT ${slow("npt@npt", compile)}x. Exits to L0 for one of L1's: ${perExit(plain, compile)}, ${perExit(virtualGif, compile)}, ${perExit(virtualAll, compile)}.`,
      evidence: say`${rowNames(shown.flatMap((program) => steps.map((engine) => row(at(engine, program)))))}; nested-switch.csv`,
      change: say`A hypervisor that reads DEBUGCTL only when its guest uses it saves one exit more. Prices of a nested switch are measured on one processor only, and assumed for the others.`,
      checks: shown.map((program) => ({
        direction: `${programName(program)}: each step is faster than the one before`,
        holds: steps.every((engine, i) => {
          const before = steps[i - 1];
          return before === undefined || slow(engine, program) < slow(before, program);
        }),
      })),
      tables: [{ name: "nested-switch", rows }],
      figures: [],
    };
  },
};
