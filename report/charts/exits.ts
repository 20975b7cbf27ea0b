/**
 * VM exits by reason: what each scheme leaves the processor for, and how often.
 */
import { baselineEngine, type ExitCause, exitCauses } from "../../bench/results/result.ts";
import type { Chart } from "../chart.ts";
import { stackedBars } from "../stacked-bars.ts";
import { causeColours } from "../theme.ts";

/** Names as the manuals print them. */
const causeNames: Readonly<Record<ExitCause, string>> = {
  PageFault: "#PF",
  EptViolation: "EPT violation",
  Cr3Write: "CR3 write",
  Cr3Read: "CR3 read",
  Invlpg: "INVLPG",
  Invpcid: "INVPCID",
  Cr0Write: "CR0 write",
  Cr4Write: "CR4 write",
  Cpuid: "CPUID",
  PmlFull: "PML full",
  Vmrun: "VMRUN of L1",
  HypervisorInstruction: "VMLOAD, VMSAVE, ... of L1",
  EptMisconfiguration: "MMIO (EPT misconfiguration)",
  Other: "interrupts, I/O, MSRs",
};

export const exits: Chart = {
  question: "Which exits?",
  spec(setting) {
    const colours = causeColours(exitCauses);
    return stackedBars(setting, {
      title: "VM exits by reason under each engine",
      remarks: [],
      emptyRemark: "No exits at all",
      axisTitle: "exits per 1000 guest accesses",
      legendTitle: "exit reason",
      parts: exitCauses.map((cause, index) => ({
        name: causeNames[cause],
        colour: colours[index] ?? "black",
        valueOf: ({ counters }) =>
          (1000 * counters[`exits${cause}`]) / Math.max(1, counters.accesses),
      })),
      reference: null,
      // Nothing exits on bare metal.
      engines: setting.engines.filter((engine) => engine !== baselineEngine),
    });
  },
};
