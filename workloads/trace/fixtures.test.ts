import { expect, test } from "vitest";
import { traceWorkloads } from "./fixtures.ts";
import { userOnlyLabel } from "./lackey-replay.ts";

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
