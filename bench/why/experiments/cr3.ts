/**
 * Why CR3 writes, not PTE writes, rule shadow paging today: kernel isolation, and what PCID does not save.
 */
import { say } from "../answer.ts";
import type { Experiment } from "../experiment.ts";
import { over, percent, six } from "../figures.ts";
import { rowNames } from "../findings.ts";
import type { PointRow } from "../../result.ts";
import { programName, programs } from "../programs.ts";

const { syscalls, compile, keyValue, contextSwitch } = programs;
const shown = [compile, keyValue, contextSwitch, syscalls];
const kernels = [
  { name: "no KPTI", params: { kpti: 0, pcid: 1 } },
  { name: "KPTI, PCID", params: { kpti: 1, pcid: 1 } },
  { name: "KPTI, no PCID", params: { kpti: 1, pcid: 0 } },
] as const;
const engines = ["native", "shadow-lazy", "ept"] as const;

type Kernel = (typeof kernels)[number];

function under(engine: string, program: (typeof shown)[number], { params }: Kernel) {
  return { ...program, params: { ...program.params, ...params }, engine };
}

/** Exits by what the guest did: loads of CR3, or anything about page-table entries. */
function exitParts({ counters }: PointRow) {
  return {
    cr3: counters.exitsCr3Write,
    entries: counters.exitsPageFault + counters.exitsInvlpg + counters.exitsInvpcid,
  };
}

export const cr3: Experiment = {
  title: "Why do CR3 writes rule modern shadow paging?",
  points: engines.flatMap((engine) =>
    shown.flatMap((program) => kernels.map((kernel) => under(engine, program, kernel))),
  ),

  read({ row }) {
    const [plain, isolated, untagged] = kernels;
    const sums = (kernel: Kernel) =>
      shown
        .map((program) => exitParts(row(under("shadow-lazy", program, kernel))))
        .reduce((a, b) => ({ cr3: a.cr3 + b.cr3, entries: a.entries + b.entries }));
    const [before, after] = [sums(plain), sums(isolated)];
    const mix = (kernel: Kernel) => {
      const { counters } = row(under("shadow-lazy", compile, kernel));
      return counters.exitsCr3Write / counters.exitsPageFault;
    };
    const rows = shown.flatMap((program) =>
      kernels.map((kernel) => row(under("shadow-lazy", program, kernel))),
    );
    const gap = (kernel: Kernel) =>
      over(row(under("shadow-lazy", keyValue, kernel)), row(under("ept", keyValue, kernel)));
    const table = shown.flatMap((program) =>
      kernels.map((kernel) => {
        const { cr3: loads, entries } = exitParts(row(under("shadow-lazy", program, kernel)));
        const ratio = over(
          row(under("shadow-lazy", program, kernel)),
          row(under("ept", program, kernel)),
        );
        return {
          program: programName(program),
          kernel: kernel.name,
          exitsCr3Write: loads,
          exitsEntries: entries,
          shadowOverEpt: six(ratio),
        };
      }),
    );
    const cr3Percent = percent(after.cr3, after.cr3 + after.entries);
    return {
      claim: say`With kernel isolation (KPTI) each system call and fault loads CR3 twice; a shadow must exit for each, and lazy sync has already made PTE stores rare exits. PCID saves the guest's flush, not the exit.`,
      number: say`CR3 loads are ${percent(before.cr3, before.cr3 + before.entries)}% of lazy shadow's exits without KPTI and ${cr3Percent}% with it, over ${shown.length} programs. Per #PF exit of the compile mix, which makes few system calls: ${mix(plain)} CR3 exits without, ${mix(isolated)} with. Key-value, shadow over EPT: ${gap(plain)}x, ${gap(isolated)}x with KPTI, ${gap(untagged)}x with KPTI and no PCID.`,
      evidence: say`${rowNames(rows)}; cr3.csv, chart cr3`,
      change: say`A guest without KPTI (immune processors, paravirtual kernels) goes back to the first figure. Published Linux boots: 5 to 7 CR exits per #PF exit with KPTI, 0.06 without.`,
      checks: [
        { direction: "with KPTI most exits are CR3 loads", holds: cr3Percent > 50 },
        {
          direction: "KPTI raises their share",
          holds: after.cr3 / after.entries > before.cr3 / before.entries,
        },
        { direction: "KPTI widens the gap to EPT", holds: gap(isolated) > gap(plain) },
      ],
      tables: [{ name: "cr3", rows: table }],
      figures: [
        {
          kind: "bars",
          name: "cr3",
          data: {
            title: "Exits under lazy shadow paging, by what the guest did",
            remarks: ["EPT exits for none of these"],
            axisTitle: "exits per 1000 guest accesses",
            legendTitle: "exit reason",
            parts: [
              { name: "CR3 write", colour: "#e69f00" },
              { name: "#PF, INVLPG, INVPCID", colour: "#d55e00" },
            ],
            panels: shown.map((program) => ({
              name: programName(program),
              bars: kernels.map((kernel) => {
                const one = row(under("shadow-lazy", program, kernel));
                const { cr3: loads, entries } = exitParts(one);
                const thousands = one.counters.accesses / 1000;
                return { name: kernel.name, values: [loads / thousands, entries / thousands] };
              }),
            })),
          },
        },
      ],
    };
  },
};
