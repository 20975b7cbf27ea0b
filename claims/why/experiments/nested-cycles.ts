/**
 * What nesting costs programs: each pair of schemes beside the inner one on hardware.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { over, six } from "../../../bench/results/figures.ts";
import type { Experiment } from "../experiment.ts";
import { rowNames } from "../findings.ts";
import { programName, programs } from "../programs.ts";

const { gups, compile, forkwait, keyValue, syscalls } = programs;
const shown = [gups, compile, forkwait, keyValue, syscalls];
const alone = ["npt", "shadow-lazy"] as const;
const nested = ["npt@npt", "shadow-lazy@npt", "shadow-lazy@shadow-lazy"] as const;
const engines = [...alone, ...nested];

type Program = (typeof shown)[number];
type EngineName = (typeof engines)[number];
const at = (engine: string, program: Program) => ({ ...program, engine, preset: "zen2" as const });

/** Turtles, figure 9: kernbench, EPT on EPT over shadow on EPT (TU10-010). */
const published = 3.47;

export const nestedCycles: Experiment = {
  title: "What does a second level cost?",
  points: shown.flatMap((program) => ["native", ...engines].map((engine) => at(engine, program))),

  read({ row, native }) {
    const slow = (engine: EngineName, program: Program) =>
      over(row(at(engine, program)), native(at(engine, program)));
    const gain = (program: Program) =>
      over(row(at("shadow-lazy@npt", program)), row(at("npt@npt", program)));
    const walkLength = (engine: EngineName) => {
      const { counters } = row(at(engine, gups));
      return (counters.walkReferencesGuest + counters.walkReferencesNested) / counters.walks;
    };
    const rows = shown.map((program) => ({
      program: programName(program),
      ...Object.fromEntries(engines.map((engine) => [engine, six(slow(engine, program))])),
    }));
    const gains = shown.map((program) => say`${programName(program)} ${gain(program)}`);
    return {
      claim: say`What L2's accesses themselves cost does not grow with the levels: silicon walks composed tables, as long as those of one level. The second level costs exits, and so it costs shadow paging most.`,
      number: say`References per walk of GUPS: NPT ${walkLength("npt")}, NPT on NPT ${walkLength("npt@npt")}, shadow ${walkLength("shadow-lazy")}, shadow on shadow ${walkLength("shadow-lazy@shadow-lazy")}, shadow on NPT ${walkLength("shadow-lazy@npt")}. NPT on NPT is faster than shadow on NPT by ${joined(gains, ", ")} times; published for a compile mix on Intel without VMCS shadowing: ${published}.`,
      evidence: say`${rowNames(shown.flatMap((program) => engines.map((engine) => row(at(engine, program)))))}; nested-cycles.csv`,
      change: say`Programs that neither fault nor switch, such as GUPS, turn it round: there shadow on shadow walks as bare metal does.`,
      checks: [
        ...shown.slice(1).map((program) => ({
          direction: `${programName(program)}: NPT on NPT beats shadow on NPT`,
          holds: gain(program) > 1,
        })),
        {
          direction: "walks of NPT on NPT are as long as those of NPT",
          holds: Math.abs(walkLength("npt@npt") / walkLength("npt") - 1) < 0.05,
        },
        {
          direction: "gups: shadow on shadow walks no more than shadow does",
          holds: walkLength("shadow-lazy@shadow-lazy") <= walkLength("shadow-lazy") * 1.01,
        },
      ],
      tables: [{ name: "nested-cycles", rows }],
      figures: [],
    };
  },
};
