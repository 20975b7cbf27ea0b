import { describe, expect, it, test } from "vitest";
import { workloads } from "../../workloads/index.ts";
import type { WorkloadParams } from "../../workloads/workload.ts";
import { migrateSmall } from "./test-migration.ts";

/** Small enough for a test, long enough for some rounds. */
function smallParams(defaults: WorkloadParams): WorkloadParams {
  return Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => {
      const isLarge = typeof value === "number" && value > 256;
      return [name, isLarge ? Math.ceil(Math.max(128, value / 32)) : value];
    }),
  );
}

type Name = keyof typeof workloads;

/** Recorded systems bring their own kernel, and cannot stand in for a guest that is migrated. */
const names = (Object.keys(workloads) as Name[]).filter((name) => !("system" in workloads[name]));

test("a recorded system is refused in a line", () => {
  const params = workloads["linux:true"].defaults;
  const settings = { bandwidthBitsPerSecond: 100e9, downtimeLimitMs: 0.1 };
  expect(() =>
    migrateSmall({ engine: "ept-pml", workload: "linux:true", params, settings }),
  ).toThrow(/allowed: a program; a recorded system runs in a point or a sweep$/);
});

describe.each(names)("workload %s", (workload) => {
  // One engine that logs in silicon, one that traps; the rule may say either, the check at the end always holds.
  it.each(["ept-pml", "shadow-wp"])("migrates under %s as the rule says", (engine) => {
    const params = smallParams(workloads[workload].defaults);
    const { outcome, rounds } = migrateSmall({
      engine,
      workload,
      params,
      settings: { bandwidthBitsPerSecond: 100e9, downtimeLimitMs: 0.1 },
    });
    const readings = rounds.filter(({ phase }) => phase === "precopy");
    const last = readings.at(-1);
    const isLittle = last !== undefined && last.pagesLeft * 4096 <= last.allowedBytes;
    if (outcome.verdict === "converged") expect(isLittle).toBe(true);
    // Each frame is sent at least once; the rest was sent again, and everything was compared.
    expect(outcome.pagesSent).toBe(outcome.framesChecked + outcome.pagesResent);
  });
});
