/**
 * PVM: a fault of its guest's counted way by way, alone and in a guest of EPT's, where nobody below takes part.
 *
 * Seen failing with a prefault that finds nothing (each fault faults again), and with translations dropped at each entry.
 */
import { describe, expect, test } from "vitest";
import { presets } from "../machine/presets.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { engines, findEngine } from "./index.ts";
import { levelsOf } from "./nested/nested-hypervisor.ts";
import { tableFlags, TestGuest, userPage } from "./kvm/test-guest.ts";

function inGuest(name: string): Engine {
  const engine = findEngine(name);
  if (engine === undefined || "problem" in engine) throw new Error(`no engine ${name}`);
  return engine;
}

/** A guest whose handler stores `entries` into tables, the uppermost first, and tries again. */
function faultingGuest(engine: Engine, entries: 1 | 2 | 3) {
  const guest = new TestGuest(engine, { preset: presets["skylake-sp"] });
  const tables = guest.space(0, 1);
  // A page of another 2 MiB, or of another 1 GiB, needs tables that are there and lead nowhere yet.
  const far = { 1: 8, 2: 512, 3: 512 * 512 }[entries];
  const stores = [
    [tables.pt, 8],
    [tables.root + 4, 0],
    [tables.pd, 1],
    [tables.root + 5, 0],
    [tables.pdpt, 1],
  ] as const;
  const chain = {
    1: [stores[0]],
    2: [stores[2], stores[1]],
    3: [stores[4], stores[3], stores[1]],
  }[entries];
  // L0 knows all frames, as below an L1 that ran other guests before.
  levelsOf(guest.hypervisor)?.useAllMemory();
  guest.load(tables.root);
  guest.read(0);
  const [vcpu] = guest.machine.vcpus;
  vcpu!.software = {
    pageFault() {
      for (const [i, [table, index]] of chain.entries()) {
        const next = chain[i + 1];
        if (next === undefined) guest.store(table, index, guest.data(9), userPage);
        else guest.store(table, index, next[0], tableFlags);
      }
      return "retry";
    },
  };
  return { guest, fault: () => guest.cost(() => guest.write(far)) };
}

describe.each(["pvm", "pvm@ept", "pvm@npt"])("%s", (name) => {
  // The fault, the first store into a table in use, the return. KVM's MMU shadows no table before it is walked.
  test.each([1, 2, 3] as const)(
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
