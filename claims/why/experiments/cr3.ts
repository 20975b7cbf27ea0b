/**
 * Why CR3 writes, not PTE writes, rule shadow paging today: kernel isolation, and what PCID does not save.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import type { Experiment } from "../experiment.ts";
import { over, percent, six } from "../../../bench/results/figures.ts";
import { rowNames } from "../findings.ts";
import type { PointRow } from "../../../bench/results/result.ts";
import { programName, programs } from "../programs.ts";

const { boot, compile, keyValue, contextSwitch } = programs;
const shown = [boot, compile, keyValue, contextSwitch];
const kernels = [
  { name: "no KPTI", params: { kpti: 0, pcid: 1 } },
  { name: "KPTI, PCID", params: { kpti: 1, pcid: 1 } },
  { name: "KPTI, no PCID", params: { kpti: 1, pcid: 0 } },
] as const;
const [plain, isolated, untagged] = kernels;
const engines = ["native", "shadow", "shadow-lazy", "ept"] as const;

type Program = (typeof shown)[number];
type Kernel = (typeof kernels)[number];

function under(engine: (typeof engines)[number], program: Program, { params }: Kernel) {
  return { ...program, params: { ...program.params, ...params }, engine };
}

/** Exits by what the guest did. A fault is the guest's own, or one that the shadow's gaps cause. */
function exitParts({ key, counters }: PointRow) {
  // Trap-on-write emulates each store; lazy sync exits when a table goes out of sync or is an upper one.
  const stores =
    key.engine === "shadow"
      ? counters.emulatedPteWrites
      : counters.shadowPagesUnsynced + counters.faultsEmulated;
  return {
    cr3: counters.exitsCr3Write + counters.exitsCr3Read,
    stores,
    flushes: counters.exitsInvlpg + counters.exitsInvpcid,
    faults: counters.exitsPageFault - stores,
  };
}

function sharesOf(row: PointRow) {
  const parts = exitParts(row);
  const all = Math.max(1, row.counters.exits);
  return { cr3: percent(parts.cr3, all), stores: percent(parts.stores, all) };
}

export const cr3: Experiment = {
  title: "Why do CR3 writes, not PTE writes, rule modern shadow paging?",
  points: engines.flatMap((engine) =>
    shown.flatMap((program) => kernels.map((kernel) => under(engine, program, kernel))),
  ),

  read({ row }) {
    const of = (engine: (typeof engines)[number], program: Program, kernel: Kernel) =>
      row(under(engine, program, kernel));
    const perFault = (kernel: Kernel) => {
      const lazy = of("shadow-lazy", boot, kernel);
      return exitParts(lazy).cr3 / lazy.counters.exitsPageFault;
    };
    const gap = (kernel: Kernel) =>
      over(of("shadow-lazy", keyValue, kernel), of("ept", keyValue, kernel));
    const shares = shown.map((program) => ({
      name: programName(program),
      before: sharesOf(of("shadow-lazy", program, plain)),
      after: sharesOf(of("shadow-lazy", program, isolated)),
      trapped: sharesOf(of("shadow", program, plain)),
    }));
    const loads = shares.map(({ name, before, after }) => say`${name} ${before.cr3}/${after.cr3}`);
    const stores = shares.map(
      ({ name, before, trapped }) => say`${name} ${trapped.stores}/${before.stores}`,
    );
    const rows = shown.flatMap((program) =>
      kernels.map((kernel) => of("shadow-lazy", program, kernel)),
    );
    const table = shown.flatMap((program) =>
      kernels.map((kernel) => {
        const lazy = of("shadow-lazy", program, kernel);
        const parts = exitParts(lazy);
        return {
          program: programName(program),
          kernel: kernel.name,
          exitsCr3: parts.cr3,
          exitsPteStore: parts.stores,
          exitsFlush: parts.flushes,
          exitsFault: parts.faults,
          exitsPteStoreTrapOnWrite: exitParts(of("shadow", program, kernel)).stores,
          shadowOverEpt: six(over(lazy, of("ept", program, kernel))),
        };
      }),
    );
    return {
      claim: say`With kernel isolation (KPTI) each system call and fault reads and writes CR3 twice, and a shadow must exit for each. PTE stores ruled trap-on-write; lazy sync made them rare exits. PCID saves the guest's flush, not the exit.`,
      number: say`Of lazy shadow's exits accesses to CR3 are, in percent without/with KPTI: ${joined(loads, ", ")}. PTE stores are, in percent under trap-on-write/lazy shadow, no KPTI: ${joined(stores, ", ")}. CR3 exits per #PF exit of the boot: ${perFault(plain)} without KPTI, ${perFault(isolated)} with. Key-value, lazy shadow over EPT: ${gap(plain)}x, ${gap(isolated)}x with KPTI, ${gap(untagged)}x with KPTI and no PCID, which slows both.`,
      evidence: say`${rowNames(rows)}; cr3.csv, chart cr3`,
      change: say`A guest without KPTI (processors immune to Meltdown) goes back to the first figures. Published Linux boots under KVM: 5 to 7 CR exits per #PF exit with KPTI, 0.06 without.`,
      checks: [
        {
          direction: "with KPTI most exits of every program are for CR3, but for the compile mix",
          holds: shares.every(({ name, after }) => after.cr3 > 50 || name === compile.workload),
        },
        {
          direction: "KPTI raises their share in every program",
          holds: shares.every(({ before, after }) => after.cr3 >= before.cr3),
        },
        {
          direction:
            "PTE stores are a smaller share of lazy shadow's exits than of trap-on-write's",
          holds: shares.every(({ before, trapped }) => before.stores <= trapped.stores),
        },
        { direction: "KPTI widens the gap to EPT", holds: gap(isolated) > gap(plain) },
        {
          direction: "PCID does not save exits for CR3 writes",
          holds: shown.every(
            (program) =>
              of("shadow-lazy", program, isolated).counters.exitsCr3Write ===
              of("shadow-lazy", program, untagged).counters.exitsCr3Write,
          ),
        },
      ],
      tables: [{ name: "cr3", rows: table }],
      figures: [{ kind: "bars", name: "cr3", data: chart(of) }],
    };
  },
};

function chart(of: (engine: "shadow-lazy", program: Program, kernel: Kernel) => PointRow) {
  return {
    title: "Exits under lazy shadow paging, by what the guest did",
    remarks: ["EPT exits for none of these"],
    axisTitle: "exits per 1000 guest accesses",
    legendTitle: "exit because of",
    parts: [
      { name: "CR3", colour: "#e69f00" },
      { name: "page fault", colour: "#56b4e9" },
      { name: "INVLPG, INVPCID", colour: "#009e73" },
      { name: "PTE store", colour: "#d55e00" },
    ],
    panels: shown.map((program) => ({
      name: programName(program),
      bars: kernels.map((kernel) => {
        const one = of("shadow-lazy", program, kernel);
        const { cr3: loads, stores, flushes, faults } = exitParts(one);
        const thousands = one.counters.accesses / 1000;
        const values = [loads, faults, flushes, stores].map((count) => count / thousands);
        return { name: kernel.name, values };
      }),
    })),
  };
}
