/**
 * What each scheme spends on tables of its own.
 */
import { assert } from "../../../machine/assert.ts";
import { say } from "../../../bench/results/answer.ts";
import type { Experiment } from "../experiment.ts";
import { six } from "../../../bench/results/figures.ts";
import { rowNames } from "../findings.ts";
import { programName, programs } from "../programs.ts";

const many = {
  ...programs.contextSwitch,
  params: { ...programs.contextSwitch.params, processes: 32 },
};
const shown = [programs.zipf, programs.compile, many].map(
  (program) => ({ ...program, backing: "4k" }) as const,
);
const engines = ["native", "shadow", "shadow-vtlb", "shadow-lazy", "ept"] as const;

export const memory: Experiment = {
  title: "What memory does each scheme spend?",
  points: engines.flatMap((engine) => shown.map((program) => ({ ...program, engine }))),

  read({ row }) {
    const table = shown.map((program) => {
      const kilobytes = (engine: string) =>
        row({ ...program, engine }).counters.tableBytesPeak / 1024;
      return {
        program: programName(program),
        shadowKib: six(kilobytes("shadow")),
        vtlbKib: six(kilobytes("shadow-vtlb")),
        lazyKib: six(kilobytes("shadow-lazy")),
        eptKib: six(kilobytes("ept")),
      };
    });
    const [single, , processes] = table;
    assert(single !== undefined && processes !== undefined, "why: a program is missing");
    const ratio = (line: typeof single) => line.lazyKib / line.eptKib;
    return {
      claim: say`Shadow tables grow with address spaces, nested tables with guest memory alone.`,
      number: say`Peak tables of the hypervisor, lazy shadow/EPT: ${single.lazyKib}/${single.eptKib} KiB for one process over 128 MiB, ${processes.lazyKib}/${processes.eptKib} KiB for 32 small processes (${ratio(processes)} times).`,
      evidence: say`${rowNames(engines.flatMap((engine) => shown.map((program) => row({ ...program, engine }))))}; memory.csv`,
      change: say`Host pages of 4 KiB here; of 2 MiB they cut EPT's tables by up to 512; KVM caps shadow pages at 2% of guest memory and then rebuilds them.`,
      checks: [
        { direction: "many processes cost shadow more than EPT", holds: ratio(processes) > 1 },
        { direction: "the ratio grows with processes", holds: ratio(processes) > ratio(single) },
      ],
      tables: [{ name: "memory", rows: table }],
      figures: [],
    };
  },
};
