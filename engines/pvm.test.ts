/**
 * PVM: a fault of its guest's counted way by way, alone and in a guest of EPT's, where nobody below takes part.
 *
 * Seen failing with a prefault that finds nothing (each fault faults again), and with translations dropped at each entry.
 */
import { describe, expect, test } from "vitest";
import type { Engine } from "../hypervisor/engine.ts";
import { engines, findEngine } from "./index.ts";
import { faultingGuest } from "./kvm/faulting-guest.ts";

function inGuest(name: string): Engine {
  const engine = findEngine(name);
  if (engine === undefined || "problem" in engine) throw new Error(`no engine ${name}`);
  return engine;
}

describe.each(["pvm", "pvm@ept", "pvm@npt"])("%s", (name) => {
  // The fault, the first store into a table in use, the return. KVM's MMU shadows no table before it is walked.
  test.each([1, 2, 3, 4] as const)(
    "a guest fault that stores %i entries goes in and out thrice",
    (n) => {
      const { fault } = faultingGuest(inGuest(name), n);
      const { exits, softwareExits, guestPageFaults, hiddenFaults } = fault();
      expect({ softwareExits, guestPageFaults }).toEqual({ softwareExits: 3, guestPageFaults: 1 });
      expect(exits).toBe(0);
      // The store into the table is one, the page itself is not.
      expect(hiddenFaults).toBe(1);
    },
  );

  test("CPUID, INVLPG and CR3 writes are one way in and out each, and no VM exit", () => {
    const { guest } = faultingGuest(inGuest(name), 1);
    const [vcpu] = guest.machine.vcpus;
    const ops = [() => vcpu?.cpuid(), () => guest.invlpg(0), () => vcpu?.writeCr3(vcpu.cr3.root)];
    for (const op of ops) {
      const { exits, softwareExits } = guest.cost(op);
      expect({ exits, softwareExits }).toEqual({ exits: 0, softwareExits: 1 });
    }
  });

  test("cached translations outlive a way in and out", () => {
    const { guest } = faultingGuest(inGuest(name), 1);
    const [vcpu] = guest.machine.vcpus;
    guest.read(0);
    const { walks } = guest.cost(() => {
      vcpu?.cpuid();
      guest.read(0);
    });
    expect(walks).toBe(0);
  });

  test("what the handler did not map is left to the fault that follows", () => {
    const { guest } = faultingGuest(inGuest(name), 1);
    const [vcpu] = guest.machine.vcpus;
    vcpu!.software = { pageFault: () => "abandon" };
    const { softwareExits, entriesFilled } = guest.cost(() => guest.write(64));
    expect({ softwareExits, entriesFilled }).toEqual({ softwareExits: 2, entriesFilled: 0 });
  });
});

test.each([
  ["pvm@shadow-lazy", /changes tables at each way in and out/],
  ["ept@pvm", /ring 3/],
  ["pvm@pvm", /ring 3/],
])("%s is refused", (name, reason) => {
  const answer = findEngine(name);
  expect(answer !== undefined && "problem" in answer ? answer.problem : "").toMatch(reason);
});

test("under PVM a guest's fault takes one way in and out more than under KVM's shadow, and one fault less", () => {
  const { fault } = faultingGuest(engines["shadow-lazy"], 1);
  // The fault, the store, the fault of the page itself.
  expect(fault()).toMatchObject({ exits: 3, softwareExits: 0 });
});
