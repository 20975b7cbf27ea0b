/** The rules of the ground truth that one vCPU shows, each as a small guest. */
import { describe, expect, test } from "vitest";
import {
  freshPage,
  marksOf,
  userLink,
  userPage,
  withoutAccessed,
  withoutWrite,
} from "../../machine/formats/x86-entry.ts";
import { PF_PRESENT, PF_WRITE } from "../../machine/page-fault.ts";
import { kvmTdp } from "../kvm-tdp.ts";
import { shadowLazyKvm61, shadowLazyKvm612 } from "../shadow-lazy.ts";
import { TestGuest } from "./test-guest.ts";

const kernels = [
  ["6.1", shadowLazyKvm61],
  ["6.12", shadowLazyKvm612],
] as const;

function touched(engine = shadowLazyKvm612, pages = 16) {
  const guest = new TestGuest(engine);
  const tables = guest.space(0, pages);
  guest.load(tables.root);
  for (let page = 0; page < pages; page++) guest.write(page);
  return { guest, tables };
}

describe.each(kernels)("kernel %s", (_name, engine) => {
  test("the first store to a live leaf table costs one exit, the next ones none", () => {
    const { guest, tables } = touched(engine);
    const first = guest.cost(() => guest.store(tables.pt, 20, guest.data(20), userPage));
    expect([first.exits, first.shadowPagesUnsynced]).toEqual([1, 1]);
    const more = () => {
      for (let i = 21; i < 40; i++) guest.store(tables.pt, i, guest.data(i), userPage);
    };
    expect(guest.exits(more)).toBe(0);
  });

  test("a CR3 load syncs the table, and the next store costs an exit again", () => {
    const { guest, tables } = touched(engine);
    guest.store(tables.pt, 20, guest.data(20), userPage);
    const load = guest.cost(() => guest.load(tables.root));
    expect([load.exits, load.shadowPagesSynced]).toEqual([1, 1]);
    expect(guest.exits(() => guest.store(tables.pt, 21, guest.data(21), userPage))).toBe(1);
  });

  test("a sync drops an entry whose frame or A bit changed and corrects one whose rights changed", () => {
    const { guest, tables } = touched(engine);
    guest.store(tables.pt, 0, guest.data(30), userPage);
    guest.store(tables.pt, 1, guest.data(1), withoutAccessed(userPage));
    guest.store(tables.pt, 2, guest.data(2), withoutWrite(userPage));
    guest.load(tables.root);
    expect(guest.exits(() => guest.read(0))).toBe(1);
    expect(guest.exits(() => guest.read(1))).toBe(1);
    expect(guest.exits(() => guest.read(2))).toBe(0);
  });

  test("INVLPG always exits, and drops nothing of a table in sync", () => {
    const { guest } = touched(engine);
    expect(guest.exits(() => guest.invlpg(0))).toBe(1);
    expect(guest.exits(() => guest.write(0))).toBe(0);
    expect(guest.exits(() => guest.invlpg(400))).toBe(1);
  });

  test("a shadow fault fills its aligned group of 8, up to the first entry that cannot be filled", () => {
    const guest = new TestGuest(engine);
    const tables = guest.space(0, 32);
    guest.set(tables.pt, 12, guest.data(12), withoutAccessed(userPage));
    guest.load(tables.root);
    expect(guest.exits(() => guest.read(3))).toBe(1);
    expect(guest.exits(() => [0, 1, 2, 4, 7].forEach((page) => guest.read(page)))).toBe(0);
    expect(guest.exits(() => guest.read(8))).toBe(1);
    expect(guest.exits(() => [9, 10, 11].forEach((page) => guest.read(page)))).toBe(0);
    // Behind the entry without A nothing was filled.
    expect(guest.exits(() => guest.read(14))).toBe(1);
  });

  test("A and D are set in the guest's entry; a clean page costs a fault for its first write", () => {
    const guest = new TestGuest(engine);
    const tables = guest.space(0, 1, freshPage);
    guest.load(tables.root);
    expect(guest.exits(() => guest.read(0))).toBe(1);
    expect(marksOf(guest.flags(tables.pt, 0))).toBe(marksOf(userLink));
    expect(guest.exits(() => guest.write(0))).toBe(1);
    expect(marksOf(guest.flags(tables.pt, 0))).toBe(marksOf(userPage));
  });

  test("the third store to an upper table without a walk in between zaps its shadow", () => {
    const { guest, tables } = touched(engine);
    const store = (index: number) => guest.store(tables.pd, index, 0x1f0, userLink);
    const two = guest.cost(() => [5, 6].forEach(store));
    expect([two.exits, two.emulatedPteWrites, two.shadowPagesZapped]).toEqual([2, 2, 0]);
    const third = guest.cost(() => store(7));
    expect([third.shadowPagesFlooded, third.shadowPagesZapped]).toEqual([1, 1]);
    // One fault makes the frame writable, the rest is free.
    expect(guest.exits(() => [8, 9, 10].forEach(store))).toBe(1);
  });

  test("a walk through the table in between starts the count again", () => {
    const { guest, tables } = touched(engine);
    const cost = guest.cost(() => {
      for (let i = 0; i < 6; i++) {
        guest.store(tables.pd, 5, 0x1f0, userLink);
        guest.store(tables.pd, 0, tables.pt, userLink);
        guest.read(0);
      }
    });
    expect(cost.shadowPagesFlooded).toBe(0);
    expect(cost.emulatedPteWrites).toBe(12);
  });

  test("a live root never floods: every store to it is emulated", () => {
    const { guest, tables } = touched(engine);
    const stores = guest.cost(() => {
      for (let i = 0; i < 20; i++) guest.store(tables.root, 100 + i, 0x1f0, userLink);
    });
    expect([stores.exits, stores.emulatedPteWrites, stores.shadowPagesZapped]).toEqual([20, 20, 0]);
  });

  test("a table that no root has used is stored into freely", () => {
    const { guest } = touched(engine);
    const other = guest.space(3, 4);
    const fill = () => {
      for (let i = 0; i < 8; i++) guest.store(other.pd, i, 0x1f0, userLink);
    };
    expect(guest.exits(fill)).toBe(0);
  });

  test("switching among six spaces costs one exit each and refills nothing", () => {
    const guest = new TestGuest(engine);
    const roots = Array.from({ length: 6 }, (_, s) => guest.space(s, 8).root);
    const round = () => {
      for (const root of roots) {
        guest.load(root);
        guest.write(0);
      }
    };
    round();
    expect(guest.exits(round)).toBe(6);
  });

  test("the guest's own fault exits once and carries the error code of the guest's tables", () => {
    const { guest, tables } = touched(engine);
    guest.store(tables.pt, 3, guest.data(3), withoutWrite(userPage));
    guest.invlpg(3);
    guest.invlpg(40);
    const readOnly = guest.cost(() => guest.write(3));
    const absent = guest.cost(() => guest.write(40));
    expect([readOnly.exits, readOnly.guestFaultsReflected]).toEqual([1, 1]);
    expect([absent.exits, absent.guestFaultsReflected]).toEqual([1, 1]);
    expect(guest.faults.map(({ error }) => error)).toEqual([PF_PRESENT | PF_WRITE, PF_WRITE]);
  });

  test("zeroing a live upper table zaps its shadow and tries again: two faults", () => {
    const { guest, tables } = touched(engine);
    const cost = guest.cost(() => guest.zero(tables.pd));
    expect([cost.exits, cost.shadowPagesZapped, cost.emulatedStores]).toEqual([2, 1, 0]);
    expect(guest.frame(tables.pd, 0)).toBe(0);
  });
});

test("a new frame, INVLPG, touch: 6.1 has filled the entry, 6.12 has dropped it", () => {
  const costs = kernels.map(([, engine]) => {
    const { guest, tables } = touched(engine);
    guest.store(tables.pt, 0, guest.data(40), userPage);
    return guest.exits(() => {
      guest.invlpg(0);
      guest.write(0);
    });
  });
  expect(costs).toEqual([1, 2]);
});

test("a new mapping, INVLPG, touch: 6.1 fills it, 6.12 fills nothing that was not there", () => {
  const costs = kernels.map(([, engine]) => {
    const { guest, tables } = touched(engine);
    guest.store(tables.pt, 100, guest.data(40), userPage);
    return guest.exits(() => {
      guest.invlpg(100);
      guest.write(100);
    });
  });
  expect(costs).toEqual([1, 2]);
});

test("under nested paging stores, INVLPG and CR3 loads cost nothing, and nothing is prefetched", () => {
  const guest = new TestGuest(kvmTdp);
  const tables = guest.space(0, 16);
  guest.load(tables.root);
  for (let page = 0; page < 8; page++) guest.write(page);
  const quiet = () => {
    guest.store(tables.pt, 0, guest.data(1), userPage);
    guest.invlpg(0);
    guest.load(tables.root);
    guest.write(0);
  };
  expect(guest.exits(quiet)).toBe(0);
  expect(guest.exits(() => [8, 9, 10].forEach((page) => guest.write(page)))).toBe(3);
});
