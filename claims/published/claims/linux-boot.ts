/**
 * Exit mix of a Linux boot (class b, as a mix): #PF, CR access, INVLPG and INVPCID under shadow paging, with
 * and without KPTI.
 *
 * Only memory exits are compared: the guest here has no devices, so CPUID and I/O stay out of both sums.
 */
import { boot } from "../../../workloads/boot.ts";
import type { Claim } from "../claim.ts";
import type { Counts } from "../../../bench/points/boot-machine.ts";
import type { Stage } from "../stage.ts";

function counts(stage: Stage, engine: "shadow-lazy" | "ept", kpti = 1): Counts {
  return stage.run({ program: boot, params: { kpti }, engine, host: "skylake-sp" }).ledger;
}

function controlRegisters(ledger: Counts): number {
  const { exitsCr3Write, exitsCr3Read, exitsCr0Write, exitsCr4Write } = ledger;
  return exitsCr3Write + exitsCr3Read + exitsCr0Write + exitsCr4Write;
}

/** Sample A: counts of the shadow run are the second number of each row. */
const rowOf = { pageFault: "SJ21-002", invlpg: "SJ21-003", cr: "SJ21-004", invpcid: "SJ21-006" };
const memoryExits = `(${Object.values(rowOf)
  .map((id) => `${id}[2]`)
  .join(" + ")})`;

const assumed =
  "the ratio of system calls to faults in their boots is unknown and decides the mix; four to one is assumed";

type Notes = Pick<Claim, "note" | "missedBecause">;

function share(name: string, id: string, of: (ledger: Counts) => number, notes: Notes): Claim {
  return {
    name: `boot, ${name} of memory exits`,
    class: "b",
    published: `100 * ${id}[2] / ${memoryExits}`,
    compare: { kind: "measured" },
    unit: "%",
    how: "boot with KPTI, shadow-lazy, skylake-sp: share of all exits",
    simulate: (stage) => {
      const ledger = counts(stage, "shadow-lazy");
      return (100 * of(ledger)) / ledger.exits;
    },
    ...notes,
  };
}

const flushes =
  "only copy-on-write flushes single pages here; a real kernel also patches and remaps its own memory";
const faults =
  "interrupts enter the kernel too, and under KPTI each is two CR3 writes without a fault; none here";

export const linuxBoot: readonly Claim[] = [
  share("CR access", rowOf.cr, controlRegisters, { note: assumed }),
  share("#PF", rowOf.pageFault, ({ exitsPageFault }) => exitsPageFault, {
    note: assumed,
    missedBecause: faults,
  }),
  share("INVLPG", rowOf.invlpg, ({ exitsInvlpg }) => exitsInvlpg, { missedBecause: flushes }),
  share("INVPCID", rowOf.invpcid, ({ exitsInvpcid }) => exitsInvpcid, { missedBecause: flushes }),
  {
    name: "boot, CR accesses per #PF, KPTI",
    class: "b",
    published: "SJ21-004[2] / SJ21-002[2]",
    rows: ["SJ21-018", "SJ21-019", "SJ21-020", "SJ21-021"],
    compare: {
      kind: "between",
      low: "SJ21-020[2] / SJ21-020[1]",
      high: "SJ21-018[2] / SJ21-018[1]",
    },
    unit: "x",
    how: "boot with KPTI, shadow-lazy: CR exits / #PF exits; met between the least and the most of five boots",
    simulate: (stage) => {
      const ledger = counts(stage, "shadow-lazy");
      return controlRegisters(ledger) / ledger.exitsPageFault;
    },
    note: assumed,
    missedBecause: faults,
  },
  {
    name: "boot, CR accesses per #PF, no KPTI",
    class: "b",
    published: "SJ21-022[2] / SJ21-022[1]",
    compare: { kind: "measured" },
    unit: "x",
    how: "the same boot without KPTI: CR exits / #PF exits",
    simulate: (stage) => {
      const ledger = counts(stage, "shadow-lazy", 0);
      return controlRegisters(ledger) / ledger.exitsPageFault;
    },
    note: "that their guest ran without KPTI is an inference",
    missedBecause: "fewer context switches here: no interrupts, kernel threads or pipes",
  },
  {
    name: "boot, memory exits, shadow / EPT",
    class: "b",
    published: `${memoryExits} / (SJ21-005[1] + SJ21-004[1] + SJ21-002[1])`,
    compare: { kind: "measured" },
    unit: "x",
    how: "boot with KPTI from cold memory: exits under shadow-lazy / under ept",
    simulate: (stage) => counts(stage, "shadow-lazy").exits / counts(stage, "ept").exits,
    missedBecause:
      "system calls outnumber first touches here: a whole boot touches 1.4 GB, ours about 30 MB",
  },
];
