/**
 * What locks hold against: the design attacks that a model checker found in SecVisor, and the remapping attack that beats a
 * lock on frames. And what a monitor inside the guest saves.
 */
import { engines } from "../../../engines/index.ts";
import { totalCycles } from "../../../bench/costs/cost.ts";
import { runAttack } from "../../../policies/attack/run-attack.ts";
import type { SchemeName } from "../../../policies/attack/schemes.ts";
import { searchAttacks } from "../../../policies/search/search.ts";
import type { Claim } from "../claim.ts";
import { shadowWithTargets } from "../../../policies/monitor/cr3-targets.ts";
import { countMonitorCalls } from "../../../policies/monitor/monitor-call.ts";
import type { Stage } from "../stage.ts";

/** Cycles of a call of the monitor on the processor of the paper's time. */
function monitorCall(stage: Stage, monitor: "outside" | "inside"): number {
  const engine = monitor === "outside" ? engines.shadow : shadowWithTargets;
  const way = monitor === "outside" ? "exit" : "cr3";
  const { calls } = countMonitorCalls({ engine, host: "core2", calls: 100, way });
  return totalCycles(stage.price(calls, "core2"));
}

/** Kinds of attack among all programs of two ops. */
function designAttacks(scheme: SchemeName): number {
  return searchAttacks(scheme, 2).ideas.length;
}

export const policies: readonly Claim[] = [
  {
    name: "design attacks on a lock of rights",
    class: "a",
    published: "SV08-001",
    compare: { kind: "equal" },
    unit: "attacks",
    how: "shadow paging that locks the rights of a page: kinds of attack among all programs of two ops in four frames",
    simulate: () => designAttacks("shadow-rights"),
    note: "theirs are a writable alias and a remap of an approved page, and so are ours",
  },
  {
    name: "design attacks after the repair",
    class: "a",
    published: "SV08-002",
    compare: { kind: "equal" },
    unit: "attacks",
    how: "the same with page and frame locked",
    simulate: () => designAttacks("shadow"),
  },
  {
    name: "attacks on EPT's lock of a frame",
    class: "a",
    published: "TS23-001",
    compare: { kind: "equal" },
    unit: "attacks",
    how: "EPT with the frame locked: kinds of attack among the same programs",
    simulate: () => designAttacks("ept-frame"),
    note: "theirs is the remap, and so is ours: at no exit",
  },
  {
    name: "remap against HLAT",
    class: "a",
    published: "TS23-002",
    compare: { kind: "equal" },
    unit: "changes",
    how: "the same attack with the page pinned by HLAT: does the page give other bytes afterwards?",
    simulate: () => (runAttack("ept-hlat", "remap").isBroken ? 1 : 0),
  },
  {
    name: "monitor's call, outside / inside",
    class: "c",
    published: "SI09-001",
    compare: { kind: "measured" },
    unit: "x",
    how: "core2: a hypercall under shadow, over a gate, two CR3 writes that CR3-target values keep from exiting, and the monitor's code, stack and data",
    simulate: (stage) => monitorCall(stage, "outside") / monitorCall(stage, "inside"),
    note: "CR3-target values are agile paging's known roots, all tables shadowed; the program does a load, a store and a fetch of its own at each event",
    missedBecause:
      "a call inside is 1,150 cycles here and an exit with a short handler 4,216; eleven times the first is 12,650 for an exit, which no price of a Core 2 has, and the paper's own times could not be read",
  },
];
