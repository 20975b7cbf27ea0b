/** Calls of a monitor, counted by hand. */
import { expect, test } from "vitest";
import { engines } from "../../../engines/index.ts";
import { shadowWithTargets } from "../claims/policies.ts";
import { countMonitorCalls } from "./monitor-call.ts";

const calls = 10;

// Seen failing: no known roots, so that both CR3 writes exit; a call that forgets the way back.
test("inside the guest a call is two CR3 writes and no exit; they flush, so eight pages are walked to", () => {
  const counts = countMonitorCalls({
    engine: shadowWithTargets,
    host: "core2",
    calls,
    monitor: "inside",
    check: true,
  });
  // The event's code, stack and data, the gate on each side of a write, the monitor's code, stack and data.
  expect(counts).toMatchObject({ exits: 0, cr3Writes: 2 * calls, walks: 8 * calls });
});

test("outside it is one exit, after which the event's three pages are walked to", () => {
  const counts = countMonitorCalls({
    engine: engines.shadow,
    host: "core2",
    calls,
    monitor: "outside",
    check: true,
  });
  expect(counts).toMatchObject({ exits: calls, exitsOther: calls, walks: 3 * calls });
});
