/**
 * What a view of its own is worth to a monitor inside the guest, and what it is not.
 */
import { say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import { readCost } from "../../../bench/costs/cost-file.ts";
import { price, totalCycles } from "../../../bench/costs/cost.ts";
import { engines } from "../../../engines/index.ts";
import { eptViews } from "../../../engines/ept-views.ts";
import type { Engine } from "../../../hypervisor/engine.ts";
import { attackMatrix } from "../../../policies/attack/run-attack.ts";
import { shadowWithTargets } from "../../../policies/monitor/cr3-targets.ts";
import { countMonitorCalls, type MonitorWay } from "../../../policies/monitor/monitor-call.ts";
import type { Experiment } from "../experiment.ts";

const host = "skylake-sp";
const calls = 1000;

interface Call {
  readonly engine: Engine;
  readonly way: MonitorWay;
  readonly text: string;
}

const outside = { engine: engines.ept, way: "exit", text: "outside, EPT" } as const;
const inView = { engine: eptViews(), way: "view", text: "inside, a view of EPT" } as const;
const byCr3 = {
  engine: shadowWithTargets,
  way: "cr3",
  text: "inside, CR3 targets, shadow",
} as const;

function timed({ engine, way, text }: Call) {
  const counted = countMonitorCalls({ engine, host, calls, way });
  const each = (sum: number) => six(sum / calls);
  const { exits, viewSwitches, walks } = counted.calls;
  return {
    monitor: text,
    cyclesPerCall: each(totalCycles(price(counted.calls, 0, readCost(host)))),
    exitsPerCall: each(exits),
    viewSwitchesPerCall: each(viewSwitches),
    walksPerCall: each(walks),
    exitsOfFirstCall: counted.first.exits,
  };
}

export const views: Experiment = {
  title: "What does a view buy a monitor inside the guest?",
  points: [],

  read() {
    const [exit, view, cr3] = [timed(outside), timed(inView), timed(byCr3)];
    const outcomes = attackMatrix(["ept-views", "ept-views-open", "ept-frame"]);
    const of = (scheme: string, attack: string) =>
      outcomes.find((one) => one.scheme === scheme && one.attack === attack);
    const brokenBy = (scheme: string) =>
      outcomes.filter((one) => one.scheme === scheme && one.isBroken).length;
    const [taken, open] = [of("ept-views", "view"), of("ept-views-open", "view")];
    const remapped = of("ept-views", "remap");
    return {
      claim: say`A view is EPT's answer to the address space of a monitor's own: the monitor is called without leaving the guest, caches keep the translations of both views, and whoever else takes its view is refused at the next instruction. It is rights on frames all the same: which frame a page means the guest's tables say in every view.`,
      number: say`A call takes ${view.cyclesPerCall} cycles and ${view.exitsPerCall} exits by ${view.viewSwitchesPerCall} VMFUNC, ${exit.cyclesPerCall} cycles and ${exit.exitsPerCall} exit outside the guest; by CR3 under shadow paging, with CR3-target values, ${cr3.cyclesPerCall} cycles and ${cr3.walksPerCall} walks, since each write flushes. The first call exits ${view.exitsOfFirstCall} times with views and ${exit.exitsOfFirstCall} without: each view has its own tables. Taking the monitor's view is held in ${taken?.exits ?? -1} exits, and where any code runs there broken at ${open?.exits ?? -1}. A remap breaks it at ${remapped?.exits ?? -1} exits: ${brokenBy("ept-views")} attacks in all, as many as break a plain lock by EPT (${brokenBy("ept-frame")}).`,
      evidence: say`monitor-calls.csv, view-attacks.csv; shadewalk attack --scheme ept-views,ept-views-open`,
      change: say`The price of VMFUNC, 134 cycles here, is assumed: at ${six((exit.cyclesPerCall - view.cyclesPerCall) / 2 + 134)} the exit would be as cheap. Tables that silicon asks before the guest's (HLAT), or guarded ones, in both views: then a remap is held too. PCIDs keep what a CR3 write flushes, but the processors of that time had none.`,
      checks: [
        {
          direction: "a call by a view exits not at all, and walks nowhere",
          holds: view.exitsPerCall === 0 && view.walksPerCall === 0,
        },
        {
          direction: "a view is the cheapest way, an exit the dearest",
          holds: view.cyclesPerCall < cr3.cyclesPerCall && cr3.cyclesPerCall < exit.cyclesPerCall,
        },
        {
          direction: "a second view is paid at first uses",
          holds: view.exitsOfFirstCall > exit.exitsOfFirstCall,
        },
        {
          direction: "who takes the monitor's view is held unless all code runs there",
          holds: taken?.isBroken === false && open?.isBroken === true,
        },
        {
          direction: "a remap breaks it as it breaks a lock by EPT",
          holds:
            remapped?.isBroken === true &&
            remapped.exits === 0 &&
            brokenBy("ept-views") === brokenBy("ept-frame"),
        },
      ],
      tables: [
        { name: "monitor-calls", rows: [exit, cr3, view] },
        {
          name: "view-attacks",
          rows: outcomes.map(({ scheme, attack, isBroken, exits, denied }) => {
            return { scheme, attack, verdict: isBroken ? "BROKEN" : "held", exits, denied };
          }),
        },
      ],
      figures: [],
    };
  },
};
