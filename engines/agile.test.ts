/**
 * Agile paging by its counts: what a walk costs in each mode, which stores exit, and how a table changes its mode.
 *
 * Seen failing with: stores counted for all tables together, a nested table that no interval looks at again, a table that
 * stays watched after its store, a known root that outlives its mode, a root that its host event brings back at once.
 */
import { describe, expect, test } from "vitest";
import type { Gfn } from "../machine/address.ts";
import { isDirty, userPage, withoutDirty } from "../machine/formats/x86-entry.ts";
import { presets } from "../machine/presets.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { agilePolicy, createAgile } from "./agile.ts";
import type { AgilePolicy } from "./agile/modes.ts";
import { TestGuest } from "./kvm/test-guest.ts";

const interval = 1000;

function engineWith(policy: Partial<AgilePolicy>): Engine {
  const own = { ...agilePolicy, intervalAccesses: interval, worthCycles: -1, ...policy };
  return { title: "agile", family: "shadow", create: (platform) => createAgile(platform, own) };
}

/** A guest on a processor whose walks find nothing cached, 64 pages mapped and used. */
function guestOf(policy: Partial<AgilePolicy>) {
  const guest = new TestGuest(engineWith(policy), { preset: presets.textbook });
  const tables = guest.usedSpace(0, 64);
  const walk = () => guest.walk();
  /** Time passes, and the guest stores nothing. */
  const rest = () =>
    guest.cost(() => {
      for (let i = 0; i < interval; i++) guest.read(i % 64);
    });
  const store = (page: number, frame = guest.data(page)) =>
    guest.cost(() => guest.store(tables.pt, page, frame, userPage));
  return { guest, tables, walk, rest, store };
}

describe("a space that begins shadowed", () => {
  const policy = { begins: "shadowed" } as const;

  test("is walked by 4 references; after the second store to a table it is nested from there on", () => {
    const { walk, store } = guestOf(policy);
    expect(walk()).toEqual([4, 0]);
    expect(store(1)).toMatchObject({ exits: 1, emulatedPteWrites: 1 });
    expect(walk()).toEqual([4, 0]);
    expect(store(2)).toMatchObject({ exits: 1, emulatedPteWrites: 1 });
    // The leaf table by its host frame, then the page through the nested tables.
    expect(walk()).toEqual([4, 4]);
    for (const page of [3, 4, 5]) expect(store(page).exits).toBeLessThan(2);
    expect(store(6)).toMatchObject({ exits: 0, emulatedPteWrites: 0 });
    expect(walk()).toEqual([4, 4]);
  });

  test("one store in each interval leaves it shadowed", () => {
    const { walk, store, rest } = guestOf(policy);
    for (const page of [1, 2, 3, 4]) {
      expect(store(page)).toMatchObject({ exits: 1 });
      rest();
    }
    expect(walk()).toEqual([4, 0]);
  });

  test("stores to its upper tables nest more of it, up to 20 references", () => {
    const { guest, tables, walk } = guestOf(policy);
    const upper = [
      [tables.pd, 8],
      [tables.pdpt, 12],
      [tables.root, 16],
    ] as const;
    for (const [table, nested] of upper) {
      guest.cost(() => {
        for (const index of [7, 8]) guest.store(table, index, 0x1f0, 0);
      });
      expect(walk()).toEqual([4, nested]);
    }
  });
});

describe("a space that begins nested", () => {
  test("has no exits for its stores, and is shadowed once it has had none for an interval", () => {
    const { walk, store, rest } = guestOf({});
    expect(walk()).toEqual([4, 16]);
    expect(store(1)).toMatchObject({ exits: 0 });
    // The first look watches its tables, the second finds them untouched.
    rest();
    expect(walk()).toEqual([4, 16]);
    rest();
    expect(walk()).toEqual([4, 0]);
    expect(store(2)).toMatchObject({ exits: 1, emulatedPteWrites: 1 });
  });

  test("a table that is stored to while it is watched exits once, and stays nested below a shadow", () => {
    const { walk, store, rest } = guestOf({});
    rest();
    expect(store(1).exits).toBe(1);
    expect(store(2).exits).toBe(0);
    rest();
    expect(walk()).toEqual([4, 4]);
  });

  test("when all tables return, stores do not keep one nested", () => {
    const { walk, store, rest } = guestOf({ returns: "all" });
    store(1);
    rest();
    expect(walk()).toEqual([4, 0]);
  });
});

test("the guest's A and D bits are silicon's in the nested part, the hypervisor's in the shadow", () => {
  const nested = guestOf({});
  nested.store(1);
  nested.guest.set(nested.tables.pt, 1, nested.guest.data(1), withoutDirty(userPage));
  nested.guest.machine.vcpus[0]!.mmu.flushLinear();
  expect(nested.guest.cost(() => nested.guest.write(1))).toMatchObject({
    exits: 0,
    dirtyBitsSet: 1,
  });
  expect(isDirty(nested.guest.flags(nested.tables.pt, 1))).toBe(true);
});

test("roots that silicon knows are loaded without an exit, until their mode changes", () => {
  const { guest, tables, rest } = guestOf({ knownRoots: 2 });
  const other = guest.space(1, 4).root;
  const load = (root: Gfn) => guest.cost(() => guest.load(root)).exitsCr3Write;
  expect([load(other), load(tables.root), load(other), load(tables.root)]).toEqual([1, 0, 0, 0]);
  rest();
  rest();
  expect([load(other), load(tables.root), load(other)]).toEqual([1, 1, 0]);
});

test("a nested root that the host takes is away until the guest's next access", () => {
  const { guest, tables, walk } = guestOf({});
  const evict = { kind: "evict", start: tables.root, frames: 1 } as const;
  expect(guest.cost(() => guest.host(evict))).toMatchObject({
    hostSwapOuts: 1,
    hostMajorFaults: 0,
  });
  expect(guest.cost(() => guest.read(0))).toMatchObject({ exitsPageFault: 1, hostMajorFaults: 1 });
  expect(walk()).toEqual([4, 16]);
});
