/**
 * Selective paging by its counts: when it changes, what a sampled fault costs, and that it asks less often when told no.
 *
 * Seen failing with: a change for one interval alone, samples that go on after the answer is known, a change that counts
 * its own exits against the new mode.
 */
import { expect, test } from "vitest";
import { presets } from "../machine/presets.ts";
import { TestGuest } from "./kvm/test-guest.ts";
import { createShsp, shspPolicy } from "./shsp.ts";
import { Choice } from "./shsp/choice.ts";
import { intervalsOf } from "./shsp/test-intervals.ts";
import { createLedger } from "../machine/counters.ts";

const policy = { ...shspPolicy, intervalAccesses: 1000 };

function guestOf() {
  const engine = {
    title: "SHSP",
    family: "shadow",
    create: (platform) => createShsp(platform, policy),
  } as const satisfies ConstructorParameters<typeof TestGuest>[0];
  const guest = new TestGuest(engine, { preset: presets.textbook });
  const tables = guest.usedSpace(0, 64);
  const walk = () => guest.walk();
  const { walking, storing } = intervalsOf(guest, tables.pt, policy.intervalAccesses);
  return { guest, walk, walking, storing };
}

test("a guest that walks and rests is shadowed, one that stores is nested again", () => {
  const { walk, walking, storing } = guestOf();
  expect(walk()).toEqual([4, 20]);
  for (let i = 0; i < 4; i++) walking();
  expect(walk()).toEqual([4, 0]);
  for (let i = 0; i < 4; i++) storing();
  expect(walk()).toEqual([4, 20]);
  expect(storing().exits).toBe(0);
});

/** Intervals of nested mode with these faults in each, if they are sampled; which were. */
function sampled(faults: number, intervals: number): number[] {
  const choice = new Choice({ ...policy, sampleEvery: 2 });
  const counts = createLedger();
  const seen: number[] = [];
  for (let i = 0; i < intervals; i++) {
    if (choice.isSampling) {
      seen.push(i);
      for (let fault = 0; fault < faults; fault++) if (!choice.sawFault()) break;
    }
    counts.walks += 100;
    counts.walkReferencesNested += 1000;
    choice.endInterval([counts]);
    if (choice.mode === "shadow") break;
  }
  return seen;
}

test("faults that cost more than walks end their sample, and the next is twice as far away", () => {
  expect(sampled(100, 40)).toEqual([1, 3, 7, 15, 31]);
});

test("two samples without faults make the change", () => {
  expect(sampled(0, 40)).toEqual([1, 2]);
});
