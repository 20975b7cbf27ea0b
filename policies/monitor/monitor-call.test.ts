/** Calls of a monitor, counted by hand. */
import { expect, test } from "vitest";
import { engines } from "../../engines/index.ts";
import { eptViews } from "../../engines/ept-views.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { HostName } from "../../bench/points/boot-machine.ts";
import { shadowWithTargets } from "./cr3-targets.ts";
import { countMonitorCalls, type MonitorWay } from "./monitor-call.ts";

const calls = 10;

function counted(engine: Engine, host: HostName, way: MonitorWay) {
  return countMonitorCalls({ engine, host, calls, way, check: true });
}

// Seen failing: no known roots, so that both CR3 writes exit; a call that forgets the way back.
test("by CR3 a call is two writes and no exit; they flush, so eight pages are walked to", () => {
  const counts = counted(shadowWithTargets, "core2", "cr3").calls;
  // The event's code, stack and data, the gate on each side of a write, the monitor's code, stack and data.
  expect(counts).toMatchObject({ exits: 0, cr3Writes: 2 * calls, walks: 8 * calls });
});

test("outside it is one exit, after which the event's three pages are walked to", () => {
  const counts = counted(engines.shadow, "core2", "exit").calls;
  expect(counts).toMatchObject({ exits: calls, exitsOther: calls, walks: 3 * calls });
});

// Seen failing: a policy without the gate among the monitor's code, so that it is refused in the monitor's view.
test("by a view it is two switches, no exit and no walk; the gate alone has a first use in each view", () => {
  const { first, calls: later } = counted(eptViews(), "skylake-sp", "view");
  expect(later).toMatchObject({ exits: 0, viewSwitches: 2 * calls, walks: 0 });
  expect(first.exits).toBeGreaterThan(counted(engines.ept, "skylake-sp", "exit").first.exits);
});
