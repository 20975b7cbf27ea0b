import { expect, test } from "vitest";
import { Prng } from "../../guest/prng.ts";
import { testGuest } from "../../guest/test-guest.ts";
import { traceWorkloads } from "./fixtures.ts";
import { replayLackey, userOnlyLabel } from "./lackey-replay.ts";
import { openTrace } from "./open.ts";

test("a recording that streams through the guest counts what its workload counts", async () => {
  const workload = traceWorkloads["trace:perl"];
  const options = workload.guestOptions(workload.defaults);
  const frames = workload.guestFrames(workload.defaults);
  const atOnce = testGuest(options, frames);
  workload.run(atOnce.guest, workload.defaults, new Prng(1));
  const streamed = testGuest(options, frames);
  const source = await openTrace(workload.file);
  const totals = await replayLackey({ guest: streamed.guest, source, pageSize: "4k" });
  expect(totals.accesses).toBe(workload.defaults.accesses);
  expect(totals.label).toBe(workload.label);
  expect(streamed.vcpu.snapshot().ledger).toEqual(atOnce.vcpu.snapshot().ledger);
});

test.each(Object.entries(traceWorkloads))("%s decodes to what it says it has", (_, workload) => {
  const trace = workload.trace();
  expect(trace.accesses).toBe(workload.defaults.accesses);
  expect(trace.systemCalls).toBeGreaterThan(0);
  expect(workload.label.startsWith(userOnlyLabel)).toBe(true);
  // Room for every page of program and kernel, below the 128 MiB that a small machine has.
  const frames = workload.guestFrames(workload.defaults);
  expect(frames).toBeGreaterThan(trace.pages);
  expect(frames).toBeLessThan(0x8000);
});
