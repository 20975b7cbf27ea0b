/**
 * How KVM's mmu_lock slows the first dirty pass of many vCPUs (dirty_log_perf_test, kvm list, November 2022).
 *
 * Compared with two vCPUs, so that the clock, which the letter does not name, drops out. One number is fitted: how long a
 * violation keeps others out, from 96 vCPUs that write every page. Fewer vCPUs and fewer writes are predicted. What vCPUs
 * share beside the lock (memory, caches) is the letter's own control: the pass whose leaves were all split before never waits
 * for the lock, and slows down too.
 */
import { evaluate } from "../../../bench/costs/cost-formula.ts";
import { assert } from "../../../machine/assert.ts";
import type { Claim } from "../claim.ts";
import { firstPass } from "../programs/first-pass.ts";
import { cyclesBehindLock } from "../programs/one-lock.ts";
import { readPublishedFacts } from "../published-rows.ts";

interface Prediction {
  readonly id: string;
  /** The row of two vCPUs that write as much. */
  readonly two: string;
  readonly writePercent: 100 | 5;
  readonly vcpus: number;
}

const predicted: readonly Prediction[] = [
  { id: "DS22-006", two: "DS22-005", writePercent: 100, vcpus: 32 },
  { id: "DS22-002", two: "DS22-001", writePercent: 5, vcpus: 8 },
  { id: "DS22-003", two: "DS22-001", writePercent: 5, vcpus: 32 },
  { id: "DS22-004", two: "DS22-001", writePercent: 5, vcpus: 96 },
];

function published(formula: string): number {
  const value = evaluate(formula, readPublishedFacts());
  assert(typeof value === "number", `published: ${formula} has no value`);
  return value;
}

/** Cycles that a violation keeps all others out of the tables: at 96 vCPUs and every page written, the lock is never free. */
function heldPerViolation(): number {
  const { cycles, violations } = firstPass(100, "when-written");
  return (published("DS22-007[2] / DS22-005[2]") * cycles) / (96 * violations);
}

/** Times as long as with two vCPUs. */
function growth({ id, two, writePercent, vcpus }: Prediction): number {
  const { cycles, violations } = firstPass(writePercent, "when-written");
  const control = firstPass(writePercent, "first").cycles;
  const shared = control * (published(`${id}[3] / ${two}[3]`) - 1);
  const held = violations * heldPerViolation();
  return cyclesBehindLock({ vcpus, cycles: cycles + shared, held }) / cycles;
}

export const mmuLock: readonly Claim[] = predicted.map((prediction): Claim => {
  const { id, two, writePercent, vcpus } = prediction;
  return {
    name: `first dirty pass, ${writePercent}% writes, split on fault, ${vcpus} vCPUs / 2`,
    class: "c",
    published: `${id}[2] / ${two}[2]`,
    compare: { kind: "measured" },
    unit: "x of time",
    how: `each violation under one lock, held as long as DS22-007 says for 96 vCPUs that write every page; what is shared beside it slows as the pass without faults does (${id}[3] / ${two}[3])`,
    simulate: () => growth(prediction),
  };
});
