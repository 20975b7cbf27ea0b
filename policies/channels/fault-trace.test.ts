/**
 * The controlled channel, counted by hand: a victim of n bits takes 2n steps, from one of the watched pages to another.
 */
import { describe, expect, test } from "vitest";
import { bitsRight, type FaultScheme, faultSchemes, traceFaults } from "./fault-trace.ts";

const bits = 48;
const steps = 2 * bits;

/** Exits of the whole run. The first step takes no page away, for none was there. */
const expected: Readonly<Record<FaultScheme, number>> = {
  "hypervisor, shadow": steps,
  "hypervisor, kvm-6.12": steps,
  "hypervisor, ept": steps,
  // The fault, the store that gives a page, the store that takes one, INVLPG.
  "kernel, shadow": 4 * steps - 2,
  // The fault, INVLPG, the hidden fault that fills.
  "kernel, shadow-vtlb": 3 * steps - 1,
  // The fault, INVLPG, the hidden fault; the table is out of sync, so its stores are free.
  "kernel, kvm-6.12": 3 * steps - 1,
  "kernel, ept": 0,
  "kernel, shadow, locked": 4 * steps - 2,
  "kernel, kvm-6.12, locked": 3 * steps - 1,
  // Two stores to a guarded table.
  "kernel, ept, guarded": 2 * steps - 1,
  "kernel, ept, HLAT": 0,
};

const schemes = Object.keys(faultSchemes) as FaultScheme[];

// Seen failing with: a zap that keeps the engine's mappings; a kernel that takes nothing away; pages that HLAT sends
// back to the guest's tables (where the oracle stops the run).
describe.each(schemes)("%s", (scheme) => {
  const settings = { seed: 7, bits, check: true };
  const attacked = traceFaults(faultSchemes[scheme], settings);

  test("gives away every bit, or none where the guest's entry is not asked", () => {
    const isPinned = scheme === "kernel, ept, HLAT";
    expect(attacked.guess).toEqual(isPinned ? [] : attacked.secret);
    expect(bitsRight(attacked)).toBe(isPinned ? 0 : bits);
  });

  test("takes as many exits as its steps say, and a guest fault a step where the guest attacks", () => {
    const { exits, guestPageFaults } = attacked.counts;
    const hearsFaults =
      faultSchemes[scheme].attacker === "guest kernel" && attacked.guess.length > 0;
    expect({ exits, guestPageFaults }).toEqual({
      exits: expected[scheme],
      guestPageFaults: hearsFaults ? steps : 0,
    });
    expect(attacked.checked).toBeGreaterThan(4 * bits);
  });

  test("exits for nothing when nobody attacks", () => {
    const alone = traceFaults(faultSchemes[scheme], settings, false);
    expect(alone.counts).toMatchObject({ exits: 0, guestPageFaults: 0, accesses: 4 * bits });
    expect(alone.guess).toEqual([]);
  });
});

test("another seed draws another secret, and the same seed the same", () => {
  const secretOf = (seed: number) =>
    traceFaults(faultSchemes["kernel, ept"], { seed, bits, check: false }).secret;
  expect(secretOf(1)).toEqual(secretOf(1));
  expect(secretOf(2)).not.toEqual(secretOf(1));
});
