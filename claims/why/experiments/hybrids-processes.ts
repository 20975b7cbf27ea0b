/**
 * Shadow and nested tables in one guest at the same time, chosen process by process: what hardware of today lets a hypervisor do.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import type { Experiment } from "../experiment.ts";
import { rowNames } from "../findings.ts";
import { programName } from "../programs.ts";
import { hybridPrograms } from "./hybrids.ts";

/** As many lookups in all, in turns of these lengths. */
const lengths = [2000, 20_000, 100_000];
const lookupsInAll = 2_000_000;

const usualLength = 20_000;

const inTurnsOf = (lookups: number, backing: "4k" | "2m" = "4k", kpti = 0) => ({
  workload: "side-by-side",
  params: { lookups, turns: lookupsInAll / lookups, kpti },
  backing,
});
const mixed = lengths.map((lookups) => inTurnsOf(lookups));
const onLargePages = inTurnsOf(usualLength, "2m");
const isolated = inTurnsOf(usualLength, "4k", 1);
const guests = [...mixed, onLargePages, isolated];
const engines = [
  "native",
  "shadow",
  "shadow-lazy",
  "ept",
  "agile",
  "shsp",
  "shsp-process",
] as const;
/** Of the programs that have no process to tell apart. */
const plainEngines = ["native", "shadow", "shadow-lazy", "ept", "shsp-process"] as const;

export const hybridsProcesses: Experiment = {
  title: "And process by process?",
  points: [
    ...engines.flatMap((engine) => guests.map((guest) => ({ ...guest, engine }))),
    ...plainEngines.flatMap((engine) => hybridPrograms.map((guest) => ({ ...guest, engine }))),
  ],

  read({ row, native }) {
    const lineOf = (guest: (typeof guests)[number]) => {
      const slowdown = (engine: string) =>
        six(row({ ...guest, engine }).cyclesTotal / native({ ...guest, engine }).cyclesTotal);
      return {
        lookupsPerTurn: guest.params.lookups,
        hostPages: guest.backing,
        kpti: guest.params.kpti,
        slowdownShadow: slowdown("shadow"),
        slowdownLazy: slowdown("shadow-lazy"),
        slowdownEpt: slowdown("ept"),
        slowdownAgile: slowdown("agile"),
        slowdownShsp: slowdown("shsp"),
        slowdownShspProcess: slowdown("shsp-process"),
        exitsShspProcess: row({ ...guest, engine: "shsp-process" }).counters.exits,
      };
    };
    const small = mixed.map(lineOf);
    const [large, kpti] = [lineOf(onLargePages), lineOf(isolated)];
    const alone = hybridPrograms.map((guest) => {
      const cycles = (engine: string) => row({ ...guest, engine }).cyclesTotal;
      const better = Math.min(cycles("shadow"), cycles("shadow-lazy"), cycles("ept"));
      return { program: programName(guest), over: six(cycles("shsp-process") / better) };
    });
    const worst = Math.max(...alone.map(({ over }) => over));
    const list = (of: "slowdownEpt" | "slowdownAgile" | "slowdownShsp" | "slowdownShspProcess") =>
      joined(
        small.map((line) => say`${line[of]}`),
        ", ",
      );
    return {
      claim: say`Yes, where host pages are small: of a process that looks things up beside one that maps and unmaps, the one is shadowed and the other nested at the same time, and that beats EPT, agile paging and changing sides as a whole, on silicon of today.`,
      number: say`Slowdown over native in turns of ${joined(
        lengths.map((one) => say`${one}`),
        ", ",
      )} lookups: EPT ${list("slowdownEpt")}, agile ${list("slowdownAgile")}, the whole guest ${list("slowdownShsp")}, process by process ${list("slowdownShspProcess")}. With a kernel that isolates its tables ${kpti.slowdownShspProcess}, where EPT has ${kpti.slowdownEpt}; on large host pages ${large.slowdownShspProcess}, where EPT has ${large.slowdownEpt}. Programs of one process: at most ${worst} times the better side.`,
      evidence: say`${rowNames(engines.flatMap((engine) => guests.map((guest) => row({ ...guest, engine }))))}; hybrids-processes.csv`,
      change: say`While one process is shadowed every CR3 write of the guest exits, so turns of a few hundred accesses, or KPTI with many system calls, leave all of it nested; the rule counts those exits before it decides. Large host pages take away what there is to gain. Real processors keep translations over a change between nested and shadowed, which this one drops.`,
      checks: [
        {
          direction: "process by process beats EPT and the whole guest in turns of every length",
          holds: small.every(
            ({ slowdownEpt, slowdownShsp, slowdownShspProcess }) =>
              slowdownShspProcess < Math.min(slowdownEpt, slowdownShsp),
          ),
        },
        {
          direction: "and agile paging",
          holds: small.every((line) => line.slowdownShspProcess < line.slowdownAgile),
        },
        {
          direction: "where processes do not differ it is within 5% of the better side",
          holds: worst < 1.05,
        },
        {
          direction: "on large host pages there is nothing to gain",
          holds: large.slowdownEpt < 1.05,
        },
      ],
      tables: [{ name: "hybrids-processes", rows: [...small, large, kpti] }],
      figures: [],
    };
  },
};
