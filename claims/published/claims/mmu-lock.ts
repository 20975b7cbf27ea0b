/**
 * How KVM's mmu_lock slows the first dirty pass of many vCPUs (dirty_log_perf_test, kvm list, November 2022).
 *
 * One number is fitted: how long a violation keeps others out, from 96 vCPUs that write every page. Fewer vCPUs and fewer
 * writes are predicted.
 */
import { evaluate } from "../../../bench/costs/cost-formula.ts";
import { readPublishedFacts } from "../published-rows.ts";
import { assert } from "../../../machine/assert.ts";
import type { Claim } from "../claim.ts";
import { cyclesPerPage, type FirstPass, firstPass } from "../programs/first-pass.ts";
import { cyclesBehindLock } from "../programs/one-lock.ts";

/** Cycles that a violation keeps all others out of the tables: at 96 vCPUs and every page written, the lock is never free. */
function heldPerViolation({ violations }: FirstPass): number {
  const page = evaluate(`DS22-007[2] * ${cyclesPerPage}`, readPublishedFacts());
  assert(typeof page === "number", "published: no row DS22-007");
  return page / (96 * violations);
}

function behindLock(writePercent: 100 | 5, vcpus: number): number {
  const fitted = firstPass(100, "when-written");
  const { cycles, violations } = writePercent === 100 ? fitted : firstPass(5, "when-written");
  return cyclesBehindLock({ vcpus, cycles, held: violations * heldPerViolation(fitted) });
}

const predicted = [
  { id: "DS22-006", writePercent: 100, vcpus: 32 },
  { id: "DS22-002", writePercent: 5, vcpus: 8 },
  { id: "DS22-003", writePercent: 5, vcpus: 32 },
  {
    id: "DS22-004",
    writePercent: 5,
    vcpus: 96,
    missedBecause:
      "tested: without the lock, all leaves split at first, their 96 vCPUs slow down more still, 7.3 times (DS22-001[3], DS22-004[3]): it is something else that they share",
  },
] as const;

export const mmuLock: readonly Claim[] = predicted.map(
  ({ id, writePercent, vcpus, ...known }): Claim => ({
    name: `first dirty pass, ${writePercent}% writes, split on fault, ${vcpus} vCPUs`,
    class: "c",
    published: `${id}[2] * ${(100 * cyclesPerPage) / writePercent}`,
    compare: { kind: "measured" },
    unit: "cycles per written page",
    how: `as with 2 vCPUs, each violation under one lock, held as long as DS22-007 says for 96 vCPUs that write every page`,
    simulate: () => behindLock(writePercent, vcpus),
    note: "2.6 GHz and 1 GiB a vCPU, the test's default, are assumed",
    ...known,
  }),
);
