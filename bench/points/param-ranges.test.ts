/**
 * Every number that a workload takes: what may not be is refused by name, and the least that may be runs.
 */
import { describe, expect, test } from "vitest";
import { presets } from "../../machine/presets.ts";
import { fastMmu } from "../../machine/fast.ts";
import { describeWorkloads, isRecorded } from "./catalogue.ts";
import { paramRange } from "./param-ranges.ts";
import { fullParams, paramProblem, type ParamValues } from "./params.ts";
import { runPoint } from "./run-point.ts";

const programs = describeWorkloads().filter(([, workload]) => !isRecorded(workload));
const switches = new Set(["kpti", "pcid", "usedMemory"]);

const numbersOf = (defaults: ParamValues) =>
  Object.entries(defaults).flatMap(([name, value]) =>
    typeof value === "number" && !switches.has(name) ? [name] : [],
  );

describe.each(programs)("%s", (name, workload) => {
  // Seen failing: `run -w forkwait -p forks=0` ran, and printed a table of nothing.
  test("refuses less than the least, more than the most, and what is no number", () => {
    for (const param of numbersOf(workload.defaults)) {
      const { min, max } = paramRange(param, 1);
      for (const value of [min - 1, -1, max + 1, 1.5, Number.NaN, Infinity]) {
        expect(paramProblem(workload, param, value)).toMatch(
          /must be a whole number from \d+ to \d+/,
        );
      }
      expect(paramProblem(workload, param, min)).toBeUndefined();
    }
  });

  test("runs with the least of everything, and does something", () => {
    const least = Object.fromEntries(
      numbersOf(workload.defaults).map((param) => [param, paramRange(param, 1).min]),
    );
    const params = fullParams(workload, least);
    const host = { preset: "textbook", backing: "4k", guestLevels: 4, nestedLevels: 4 } as const;
    const key = { id: 0, engine: "ept", workload: name, params, ...host, seed: 1 };
    const options = { preset: presets.textbook, mmu: fastMmu, check: true };
    const { measured, setup } = runPoint(key, options).result.regions;
    expect(measured.ledger.accesses + setup.ledger.accesses).toBeGreaterThan(0);
    expect(measured.ledger.accesses).toBeGreaterThan(0);
  });
});
