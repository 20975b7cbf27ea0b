/**
 * Selective paging for each process by its counts: two spaces in two modes at once, what a switch between them costs, whose
 * stores exit, and when a space changes.
 *
 * Seen failing with: CR3 writes that exit although nobody is shadowed, a release that goes no further than the root or takes what
 * others have too, exits of nested spaces that are nobody's, a space that nobody finds idle or gone, A and D left to silicon.
 */
import { describe, expect, test } from "vitest";
import type { Gfn } from "../machine/address.ts";
import { isAccessed, isDirty, userPage, withoutMarks } from "../machine/formats/x86-entry.ts";
import { presets } from "../machine/presets.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { TestGuest } from "./kvm/test-guest.ts";
import { type ProcessPolicy, Processes } from "./shsp/processes.ts";
import { intervalsOf } from "./shsp/test-intervals.ts";
import { createShspProcess, shspProcessPolicy } from "./shsp-process.ts";

const policy: ProcessPolicy = { ...shspProcessPolicy, intervalAccesses: 1000, accessesMin: 100 };
const engine: Engine = {
  title: "SHSP for each process",
  family: "shadow",
  create: (platform) => createShspProcess(platform, policy),
};

/** Two spaces of 64 pages: one that walks all the time, one that stores to its tables. */
function guestOf() {
  const guest = new TestGuest(engine, { preset: presets.textbook });
  const walker = guest.usedSpace(0, 64);
  const storer = guest.usedSpace(1, 64);
  const { walking, storing } = intervalsOf(guest, storer.pt, policy.intervalAccesses);
  const load = (root: Gfn) => guest.cost(() => guest.load(root));
  /** The walker is shadowed, and runs. */
  const shadowed = () => {
    load(walker.root);
    for (let i = 0; i < 4; i++) walking();
  };
  return { guest, walker, storer, walking, storing, load, shadowed };
}

describe("two spaces", () => {
  test("run in two modes at once: 4 references in the one, 24 in the other", () => {
    const { guest, walker, storer, storing, load, shadowed } = guestOf();
    expect(guest.walk()).toEqual([4, 20]);
    shadowed();
    expect(guest.walk()).toEqual([4, 0]);
    load(storer.root);
    expect(guest.walk()).toEqual([4, 20]);
    expect(storing()).toMatchObject({ exits: 0, emulatedPteWrites: 0 });
    load(walker.root);
    expect(guest.walk()).toEqual([4, 0]);
  });

  test("CR3 writes exit while one of them is shadowed, and not before", () => {
    const { walker, storer, load, shadowed } = guestOf();
    expect(load(storer.root).exits).toBe(0);
    expect(load(walker.root).exits).toBe(0);
    shadowed();
    expect(load(storer.root)).toMatchObject({ exits: 1, exitsCr3Write: 1 });
    expect(load(storer.root)).toMatchObject({ exits: 1, exitsCr3Write: 1 });
    expect(load(walker.root)).toMatchObject({ exits: 1, exitsCr3Write: 1 });
  });

  test("a shadow is built where its space is entered, and charged", () => {
    const { guest, walker, load } = guestOf();
    load(walker.root);
    const cost = guest.cost(() => {
      for (let i = 0; i < 4 * policy.intervalAccesses; i++) {
        guest.read((i * 7) % 64);
        if (i % 64 === 63) guest.machine.vcpus[0]!.drain();
        if (i % 64 === 63) guest.machine.vcpus[0]!.mmu.flushLinear();
      }
    });
    // Its own four tables, and the kernel's ten below them.
    expect(cost).toMatchObject({ shadowPagesAllocated: 14, shadowPagesZapped: 0 });
    expect(cost.entriesFilled).toBeGreaterThan(64);
  });

  test("a nested space that stores to the shadowed one's table exits, and the shadow hears of it", () => {
    const { guest, walker, storer, load, shadowed } = guestOf();
    shadowed();
    load(storer.root);
    const other = guest.data(100);
    const stored = guest.cost(() => guest.store(walker.pt, 3, other, userPage));
    expect(stored).toMatchObject({ exits: 1, exitsEptViolation: 1, emulatedPteWrites: 1 });
    load(walker.root);
    guest.read(3);
    const vcpu = guest.machine.vcpus[0]!;
    vcpu.drain();
    expect(vcpu.mmu.lastPfn()).toBe(guest.hypervisor.memory.touch(other));
  });

  test("silicon's A and D in a table that is shadowed for the other are set by the hypervisor", () => {
    const { guest, walker, storer, load, shadowed } = guestOf();
    // The storer's second half of its pages comes from the walker's table.
    guest.set(storer.pd, 1, walker.pt, userPage);
    shadowed();
    load(storer.root);
    guest.store(walker.pt, 5, guest.data(5), withoutMarks(userPage));
    guest.machine.vcpus[0]!.mmu.flushLinear();
    expect(guest.cost(() => guest.write(512 + 5))).toMatchObject({ exitsEptViolation: 2 });
    const flags = guest.flags(walker.pt, 5);
    expect([isAccessed(flags), isDirty(flags)]).toEqual([true, true]);
  });
});

describe("a space that is shadowed", () => {
  test("is nested again once its stores cost more; what only it had is released", () => {
    const { guest, storer, storing, shadowed, load, walking, walker } = guestOf();
    shadowed();
    load(storer.root);
    for (let i = 0; i < 4; i++) walking();
    expect(guest.walk()).toEqual([4, 0]);
    const cost = guest.cost(() => {
      for (let i = 0; i < 3; i++) storing();
    });
    expect(guest.walk()).toEqual([4, 20]);
    // Its own four; the kernel's are the walker's too.
    expect(cost.shadowPagesZapped).toBe(4);
    load(walker.root);
    expect(guest.walk()).toEqual([4, 0]);
  });

  test("is forgotten when its root is reused, and CR3 writes do not exit any more", () => {
    const { guest, walker, storer, load, shadowed } = guestOf();
    shadowed();
    load(storer.root);
    expect(guest.cost(() => guest.zero(walker.root))).toMatchObject({ exitsEptViolation: 1 });
    load(storer.root);
    expect(load(storer.root).exits).toBe(0);
  });

  test("is nested again when it has not run for long", () => {
    const { guest, walker, storer, load, shadowed, walking } = guestOf();
    const pass = (intervals: number) => {
      for (let i = 0; i < intervals; i++) walking();
    };
    shadowed();
    load(storer.root);
    pass(policy.idleMax - 1);
    load(walker.root);
    expect(guest.walk()).toEqual([4, 0]);
    load(storer.root);
    pass(policy.idleMax + 1);
    load(walker.root);
    expect(guest.walk()).toEqual([4, 20]);
  });
});

/** Intervals of a space that costs so much nested, and faults so often; the mode in which it ends. */
function judged(
  cost: { readonly nested: number; readonly faults: number; readonly cr3Writes: number },
  intervals = 12,
) {
  const root = 1 as Gfn;
  const processes = new Processes(policy);
  for (let i = 0; i < intervals; i++) {
    const isShadowed = processes.isShadowed(root);
    if (processes.isSampled(root)) {
      for (let fault = 0; fault < cost.faults; fault++) processes.sawFault(root);
    }
    if (processes.isListening) {
      for (let write = 0; write < cost.cr3Writes; write++) processes.sawCr3Write(false);
    }
    processes.ran(root, {
      accesses: 1000,
      walks: 100,
      walkReferencesNested: isShadowed ? 0 : cost.nested,
      exits: 0,
    });
    processes.endInterval([root]);
  }
  return processes.isShadowed(root);
}

test("what a space costs the others counts: their CR3 writes keep it nested, or make it so", () => {
  const { exitCycles, nestedReferenceCycles } = policy;
  const nested = 1000;
  const worth = (nested * nestedReferenceCycles) / exitCycles;
  expect(judged({ nested, faults: 0, cr3Writes: 0 })).toBe(true);
  expect(judged({ nested, faults: 0, cr3Writes: Math.floor(worth / 2) })).toBe(true);
  expect(judged({ nested, faults: 0, cr3Writes: Math.ceil(worth) })).toBe(false);
  expect(judged({ nested, faults: Math.ceil(worth), cr3Writes: 0 })).toBe(false);
});

// Seen failing with a space that is judged by an interval in which its faults did not exit.
test("a space whose faults nobody heard is not taken for one without faults", () => {
  const [root, other] = [1 as Gfn, 2 as Gfn];
  const processes = new Processes(policy);
  for (let i = 0; i < 8; i++) {
    processes.ran(root, { accesses: 1000, walks: 100, walkReferencesNested: 1000, exits: 0 });
    processes.endInterval([other]);
  }
  expect(processes.isShadowed(root)).toBe(false);
});
