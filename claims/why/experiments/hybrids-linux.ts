/**
 * Hybrids on real guests: an unmodified Linux with real programs, recorded under KVM, which stores to its tables all along.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import type { Experiment } from "../experiment.ts";

const guests = [
  "linux:fork",
  "linux:shell",
  "linux:cc1",
  "linux:perl",
  "linux:mmap",
  "linux:pingpong-kpti",
  "linux:syscall-kpti",
] as const;
const engines = ["native", "shadow", "shadow-lazy", "ept", "agile", "shsp"] as const;

export const hybridsLinux: Experiment = {
  title: "Do both together beat either on a real Linux?",
  // Guest by guest: a worker keeps the recording that it decoded last.
  points: guests.flatMap((workload) => engines.map((engine) => ({ workload, params: {}, engine }))),

  read({ row }) {
    const table = guests.map((workload) => {
      const of = (engine: (typeof engines)[number]) => row({ workload, params: {}, engine });
      const cycles = (engine: (typeof engines)[number]) => of(engine).cyclesTotal;
      const better = Math.min(cycles("shadow"), cycles("shadow-lazy"), cycles("ept"));
      return {
        program: workload.replace(/^linux:/, ""),
        idEpt: of("ept").key.id,
        idAgile: of("agile").key.id,
        idShsp: of("shsp").key.id,
        slowdownLazy: six(cycles("shadow-lazy") / cycles("native")),
        slowdownEpt: six(cycles("ept") / cycles("native")),
        eptOverBetter: six(cycles("ept") / better),
        agileOverBetter: six(cycles("agile") / better),
        shspOverBetter: six(cycles("shsp") / better),
      };
    });
    const ratios = (of: "agileOverBetter" | "shspOverBetter" | "slowdownEpt") =>
      joined(
        table.map((line) => say`${line.program} ${line[of]}`),
        ", ",
      );
    const close = table.filter(
      ({ agileOverBetter, shspOverBetter }) => Math.max(agileOverBetter, shspOverBetter) < 1.02,
    );
    return {
      claim: say`No: on a real Linux EPT is the better side of every recorded program, and neither hybrid beats it. Both stay within 2% of it in ${close.length} of ${table.length}; where two processes change places all the time on isolated tables, both try a shadow and pay for it.`,
      number: say`Cycles over the better side's, agile: ${ratios("agileOverBetter")}; switching: ${ratios("shspOverBetter")}. There was as much to gain as EPT's slowdown over native: ${ratios("slowdownEpt")}.`,
      evidence: say`hybrids-linux.csv, which names the rows of points.csv behind each program`,
      change: say`The recordings last a second or less and touch a few MiB, so walks hardly go into a second dimension; a program with gigabytes that runs for minutes gains what the first experiment shows. Switching hears of faults when it samples, not of CR3 writes; shsp-process, whose processes pay for their own, leaves the pipes alone (1.14 with KPTI on large host pages, as under EPT).`,
      checks: [
        {
          direction: "EPT is the better side of every recorded program",
          holds: table.every(({ eptOverBetter }) => eptOverBetter === 1),
        },
        {
          direction: "neither hybrid beats the better side",
          holds: table.every(
            ({ agileOverBetter, shspOverBetter }) => Math.min(agileOverBetter, shspOverBetter) >= 1,
          ),
        },
        {
          direction: "both are within 2% of it in all but one",
          holds: close.length >= table.length - 1,
        },
      ],
      tables: [{ name: "hybrids-linux", rows: table }],
      figures: [],
    };
  },
};
