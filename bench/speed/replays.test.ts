import { expect, test } from "vitest";
import { measureReplay } from "./replays.ts";

test("a replay runs the whole recording, its warm-up included", () => {
  const replay = { engine: "kvm-6.1", workload: "linux:syscall" } as const;
  const { ops, exits, nanosecondsPerOp } = measureReplay(replay, 1);
  expect(ops).toBe(63_759);
  // KVM's 471 for memory, 35 of CPUID and 33 of ports and interrupts.
  expect(exits).toBe(539);
  expect(nanosecondsPerOp).toBeGreaterThan(0);
});
