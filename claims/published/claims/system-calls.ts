/**
 * System calls under KPTI: two CR3 writes and two reads each, which exit under shadow paging and do not under EPT.
 */
import { engineNamed } from "../../../bench/points/catalogue.ts";
import type { EngineName } from "../../../engines/index.ts";
import { shadowPolicies } from "../../../engines/kvm/policy.ts";
import { createShadowLazy } from "../../../engines/shadow-lazy.ts";
import type { Engine } from "../../../hypervisor/engine.ts";
import { syscalls } from "../../../workloads/syscalls.ts";
import type { Claim } from "../claim.ts";
import type { Outcome, Stage } from "../stage.ts";

const calls = 5000;

/** As `pvm`, but each change of tables enters the hypervisor. */
const pvmWithoutSwitcher: Engine = {
  title: "PVM without direct switch",
  family: "shadow",
  withoutHardware: true,
  create: createShadowLazy({
    ...shadowPolicies.pvm,
    directSwitch: false,
    pageLimit: { permille: 20, min: 1024 },
  }),
};

function getpid(stage: Stage, engine: EngineName | Engine, kpti: number): Outcome {
  // Nothing but the call and the program's loop.
  const params = { calls, pages: 1, accessesPerCall: 1, kpti };
  return stage.run({ program: syscalls, params, engine, host: "cascade-lake" });
}

/** Why what four exits cost is too much, wherever shadow paging runs under KPTI on this host. */
export const dearExits =
  "tested: four exits a call, as a real kernel reads CR3 before each write, at their own machine's round trip of a hypercall (PV23-007, 1,150 cycles) are 4,600 cycles, 2 % below what shadow adds to their getpid; what is too much is the 800 assumed for what a CR3 write's handler does and displaces beyond a hypercall's";

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
    ...(engine === "ept" ? {} : { missedBecause: dearExits }),
  })),
  {
    name: "KPTI syscall, ways out (PVM)",
    class: "b",
    published: "0",
    rows: ["PV23-015"],
    compare: { kind: "equal" },
    unit: "ways out per call",
    how: "pvm, getpid loop, KPTI: software exits / calls; its switcher changes tables by itself",
    simulate: (stage) => getpid(stage, "pvm", 1).ledger.softwareExits / calls,
  },
  {
    name: "KPTI syscall, PVM",
    class: "c",
    published: "PV23-015[1] * 2500",
    compare: { kind: "measured" },
    unit: "cycles",
    how: "getpid loop with KPTI, pvm: cycles per call at their 2.5 GHz",
    simulate: (stage) => getpid(stage, "pvm", 1).total / calls,
  },
  {
    name: "KPTI syscall, EPT in a guest",
    class: "c",
    published: "PV23-016[1] * 2500",
    compare: { kind: "measured" },
    unit: "cycles",
    how: "getpid loop with KPTI, ept@ept: cycles per call at their 2.5 GHz",
    simulate: (stage) => getpid(stage, engineNamed("ept@ept"), 1).total / calls,
  },
  {
    name: "KPTI syscall, PVM in a guest",
    class: "c",
    published: "PV23-017[1] * 2500",
    compare: { kind: "measured" },
    unit: "cycles",
    how: "getpid loop with KPTI, pvm@ept: cycles per call at their 2.5 GHz",
    simulate: (stage) => getpid(stage, engineNamed("pvm@ept"), 1).total / calls,
  },
  {
    name: "KPTI syscall, PVM without direct switch",
    class: "c",
    published: "PV23-014[1] * 2500",
    compare: { kind: "measured" },
    unit: "cycles",
    how: "getpid loop with KPTI, pvm with each CR3 write a way out: cycles per call at their 2.5 GHz",
    simulate: (stage) => getpid(stage, pvmWithoutSwitcher, 1).total / calls,
    missedBecause:
      "tested: two ways out a call at PVM's own price of a hypercall (PV23-007) are 2,400 cycles, where theirs adds 4,200; so each costs 1.8 hypercalls, 2,112 cycles, a price that LMbench's prot fault has too",
  },
];
