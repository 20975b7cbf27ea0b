/**
 * System calls under KPTI: two CR3 writes each, which exit under shadow paging and do not under EPT.
 */
import { syscalls } from "../../../workloads/syscalls.ts";
import type { Claim } from "../claim.ts";
import type { Outcome, Stage } from "../stage.ts";

const calls = 5000;

function getpid(stage: Stage, engine: "shadow-lazy" | "ept", kpti: number): Outcome {
  // Nothing but the call and the program's loop.
  const params = { calls, pages: 1, accessesPerCall: 1, kpti };
  return stage.run({ program: syscalls, params, engine, host: "skylake-sp" });
}

const noNote =
  "no published price feeds it but the exit's direct cost (EX-001) and the reference (DM24-079)";

export const systemCalls: readonly Claim[] = [
  {
    name: "KPTI syscall, CR3 exits (shadow)",
    class: "b",
    published: "2",
    rows: ["PV23-013"],
    compare: { kind: "equal" },
    unit: "exits per call",
    how: "shadow-lazy, getpid loop, KPTI: CR3-write exits / calls",
    simulate: (stage) => getpid(stage, "shadow-lazy", 1).ledger.exitsCr3Write / calls,
  },
  {
    name: "KPTI syscall, exits (EPT)",
    class: "b",
    published: "0",
    rows: ["PV23-012"],
    compare: { kind: "equal" },
    unit: "exits per call",
    how: "ept, getpid loop, KPTI: exits / calls",
    simulate: (stage) => getpid(stage, "ept", 1).ledger.exits / calls,
  },
  {
    name: "plain syscall, exits (shadow)",
    class: "b",
    published: "0",
    rows: ["PV23-013"],
    compare: { kind: "equal" },
    unit: "exits per call",
    how: "shadow-lazy, getpid loop without KPTI: exits / calls",
    simulate: (stage) => getpid(stage, "shadow-lazy", 0).ledger.exits / calls,
  },
  {
    name: "KPTI syscall, shadow / EPT",
    class: "c",
    published: "PV23-013[1] / PV23-012[1]",
    compare: { kind: "measured" },
    unit: "x",
    how: "cycles of the getpid loop with KPTI: shadow-lazy / ept",
    simulate: (stage) => getpid(stage, "shadow-lazy", 1).total / getpid(stage, "ept", 1).total,
    note: noNote,
  },
  {
    name: "plain syscall, shadow / EPT",
    class: "c",
    published: "PV23-013[2] / PV23-012[2]",
    compare: { kind: "measured" },
    unit: "x",
    how: "cycles of the getpid loop without KPTI: shadow-lazy / ept",
    simulate: (stage) => getpid(stage, "shadow-lazy", 0).total / getpid(stage, "ept", 0).total,
  },
  {
    name: "syscall under EPT, KPTI on / off",
    class: "c",
    published: "PV23-012[1] / PV23-012[2]",
    compare: { kind: "measured" },
    unit: "x",
    how: "cycles of the getpid loop under ept: with KPTI / without",
    simulate: (stage) => getpid(stage, "ept", 1).total / getpid(stage, "ept", 0).total,
  },
  {
    name: "syscall under shadow, KPTI on / off",
    class: "c",
    published: "PV23-013[1] / PV23-013[2]",
    compare: { kind: "measured" },
    unit: "x",
    how: "cycles of the getpid loop under shadow-lazy: with KPTI / without",
    simulate: (stage) =>
      getpid(stage, "shadow-lazy", 1).total / getpid(stage, "shadow-lazy", 0).total,
  },
  ...(["ept", "shadow-lazy"] as const).map((engine): Claim => ({
    name: `KPTI syscall, ${engine === "ept" ? "EPT" : "shadow"}`,
    class: "c",
    published: `${engine === "ept" ? "PV23-012" : "PV23-013"}[1] * 2500`,
    compare: { kind: "measured" },
    unit: "cycles",
    how: `getpid loop with KPTI, ${engine}: cycles per call at their 2.5 GHz`,
    simulate: (stage) => getpid(stage, engine, 1).total / calls,
  })),
];
