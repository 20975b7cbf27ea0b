/**
 * A hypervisor in a guest that does without virtualization hardware (PVM) beside those that use it: who wins is a matter
 * of how many of L2's faults are at frames that L1 has yet to map.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { over, six } from "../../../bench/results/figures.ts";
import type { Experiment } from "../experiment.ts";
import { rowNames } from "../findings.ts";
import { programName, programs } from "../programs.ts";

const engines = ["ept@ept", "shadow-lazy@ept", "pvm@ept"] as const;
type EngineName = (typeof engines)[number];

/** A round gives its memory back, so of r rounds' faults one in r is at a frame that is new. */
const rounds = [1, 2, 3, 4, 6] as const;
const storm = (count: (typeof rounds)[number]) =>
  ({ workload: "demand-storm", params: { rounds: count, usedMemory: 0 } }) as const;
const boot = { workload: "boot", params: { usedMemory: 0 } } as const;
const compile = { workload: "compile", params: { usedMemory: 0 } } as const;
/** Faults at frames that everybody has, and no faults at all. */
const { forkwait, keyValue } = programs;
const used = [forkwait, keyValue];
const shown = [...rounds.map(storm), boot, compile, ...used];

type Program = (typeof shown)[number];
const at = (engine: string, program: Program) =>
  ({ ...program, engine, preset: "skylake-sp", backing: "4k" }) as const;

export const nestedPvm: Experiment = {
  title: "When does a hypervisor without virtualization hardware beat those with it?",
  points: shown.flatMap((program) => ["native", ...engines].map((engine) => at(engine, program))),

  read({ row, native }) {
    const slow = (engine: EngineName, program: Program) =>
      over(row(at(engine, program)), native(at(engine, program)));
    const beats = (program: Program) => slow("pvm@ept", program) < slow("ept@ept", program);
    const rows = shown.map((program) => {
      const { counters } = row(at("pvm@ept", program));
      return {
        program: programName(program),
        rounds: "rounds" in program.params ? program.params.rounds : 1,
        memory: "usedMemory" in program.params ? "new to L1" : "used before",
        ...Object.fromEntries(engines.map((engine) => [engine, six(slow(engine, program))])),
        exitsToL0: counters.exits,
        waysOutWithoutHardware: counters.softwareExits,
        exitsToL0EptOnEpt: row(at("ept@ept", program)).counters.exits,
      };
    });
    const won = rounds.filter((count) => beats(storm(count)));
    const storms = rounds.map(
      (count) => say`${count} ${slow("pvm@ept", storm(count))}/${slow("ept@ept", storm(count))}`,
    );
    const everyStep = rounds.every((count, i) => {
      const before = rounds[i - 1];
      return before === undefined || beats(storm(before)) || !beats(storm(count));
    });
    return {
      claim: say`PVM always beats shadow paging in a guest: the same ways out of L2, none of them to L0. It beats EPT on EPT where a fault of L2's is mostly at a frame that L1 has not mapped, for which EPT on EPT pays four exits to L0 and PVM none; where frames are used again, EPT on EPT pays nothing and wins.`,
      number: say`Fresh memory given back and faulted in again, slowdown PVM/EPT on EPT by rounds: ${joined(storms, ", ")}; PVM wins up to ${Math.max(0, ...won)}. Boot on a fresh host ${slow("pvm@ept", boot)}/${slow("ept@ept", boot)}, compile ${slow("pvm@ept", compile)}/${slow("ept@ept", compile)}; forkwait on a used one ${slow("pvm@ept", forkwait)}/${slow("ept@ept", forkwait)}, where shadow on EPT takes ${slow("shadow-lazy@ept", forkwait)}.`,
      evidence: say`${rowNames(shown.flatMap((program) => engines.map((engine) => row(at(engine, program)))))}; nested-pvm.csv`,
      change: say`Large pages of L1's for L2's memory make frames new by the 512, and EPT on EPT wins earlier. The price of a way out without hardware is one measured figure, 1200 cycles; the share at which PVM wins moves with it.`,
      checks: [
        {
          direction: "PVM beats shadow on EPT in every program",
          holds: shown.every(
            (program) => slow("pvm@ept", program) < slow("shadow-lazy@ept", program),
          ),
        },
        {
          direction:
            "PVM beats EPT on EPT while every frame is new, and not with frames used before",
          holds: beats(storm(1)) && !used.some(beats),
        },
        {
          direction: "the more rounds share a frame's first use, the less PVM wins",
          holds: everyStep,
        },
        {
          direction: "L0 hears of PVM's L2 no more often than there are frames to back",
          holds: shown.every((program) => {
            const { exits, hostFaults } = row(at("pvm@ept", program)).counters;
            return exits <= hostFaults + 1;
          }),
        },
      ],
      tables: [{ name: "nested-pvm", rows }],
      figures: [],
    };
  },
};
