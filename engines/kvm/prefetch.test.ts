/**
 * What KVM's and Xen's shadow MMUs fill unasked, and what they drop by the frame: counted by hand, gauges included.
 */
import { describe, expect, test } from "vitest";
import type { Gfn } from "../../machine/address.ts";
import { freshPage, isAccessed, userLink, userPage } from "../../machine/formats/x86-entry.ts";
import { kvmTdp } from "../kvm-tdp.ts";
import { kvmTdpLegacy } from "../kvm-tdp-legacy.ts";
import { shadowLazyKvm612, shadowLazyXen } from "../shadow-lazy.ts";
import { TestGuest } from "./test-guest.ts";

/** A space of 512 pages of data in one table. */
function full(engine: typeof shadowLazyXen, vcpus = 1) {
  const guest = new TestGuest(engine, { vcpus });
  const tables = guest.space(0, 512);
  for (let id = 1; id < vcpus; id++) guest.on(id);
  guest.on(0);
  guest.load(tables.root);
  return { guest, tables };
}

describe("Xen fills forward", () => {
  // Planted: a group of 8, one entry fewer, a start at the entry itself.
  test("the 32 entries behind the one that faulted, up to one that is filled or cannot be", () => {
    const { guest, tables } = full(shadowLazyXen);
    const first = guest.cost(() => guest.read(100));
    expect(first).toMatchObject({ exits: 1, entriesPrefetched: 32, entriesFilled: 33 });
    expect(guest.exits(() => [101, 116, 132].forEach((page) => guest.read(page)))).toBe(0);
    expect(guest.exits(() => guest.read(133))).toBe(1);
    // Entry 100 is filled, so those behind 90 end before it.
    expect(guest.cost(() => guest.read(90))).toMatchObject({ entriesPrefetched: 9 });
    guest.set(tables.pt, 205, guest.data(205), freshPage);
    expect(guest.cost(() => guest.read(200))).toMatchObject({ entriesPrefetched: 4 });
    // At the end of the table there are fewer.
    expect(guest.cost(() => guest.read(500))).toMatchObject({ entriesPrefetched: 11 });
    expect(guest.cost(() => guest.read(511))).toMatchObject({ exits: 0 });
  });
});

describe("KVM fills the aligned group of 8", () => {
  test("around the entry that faulted, those filled already left alone", () => {
    const { guest } = full(shadowLazyKvm612);
    const group = guest.cost(() => guest.read(21));
    expect(group).toMatchObject({ exits: 1, entriesFilled: 8, entriesPrefetched: 7 });
    expect(guest.exits(() => [16, 20, 22, 23].forEach((page) => guest.read(page)))).toBe(0);
    expect(guest.exits(() => [15, 24].forEach((page) => guest.read(page)))).toBe(2);
  });

  test("of a nested table too, and of a large guest page's pieces", () => {
    const legacy = full(kvmTdpLegacy);
    expect(legacy.guest.cost(() => legacy.guest.write(3))).toMatchObject({
      exitsEptViolation: 1,
      faultsFixed: 1,
      entriesFilled: 8,
      entriesPrefetched: 7,
    });
    const guest = new TestGuest(shadowLazyKvm612);
    guest.load(guest.largeSpace(0).root);
    expect(guest.cost(() => guest.write(3))).toMatchObject({ exits: 1, entriesPrefetched: 7 });
    expect(guest.exits(() => guest.write(7))).toBe(0);
    expect(guest.exits(() => guest.write(8))).toBe(1);
  });

  test("but none that is logged and would be writable", () => {
    const { guest } = full(shadowLazyKvm612);
    guest.host({ kind: "dirty-log-on", start: guest.data(4), frames: 2 });
    // Entries 0 to 3 come first; 4 is logged and ends it.
    const cost = guest.cost(() => guest.write(1));
    expect(cost).toMatchObject({ entriesFilled: 4, entriesPrefetched: 3 });
    guest.read(5);
    expect(guest.host({ kind: "dirty-log-get" })).toEqual([guest.data(5)]);
  });

  test("nor one that the host has not backed", () => {
    const { guest } = full(shadowLazyKvm612);
    guest.host({ kind: "reclaim", start: guest.data(6), frames: 1 });
    const cost = guest.cost(() => guest.read(0));
    expect(cost).toMatchObject({ entriesPrefetched: 5, hostFaults: 0 });
    expect(guest.cost(() => guest.read(7))).toMatchObject({ exits: 1, entriesPrefetched: 0 });
    expect(guest.cost(() => guest.read(6))).toMatchObject({ exits: 1, hostFaults: 1 });
  });
});

describe("a frame that many entries map", () => {
  /** Three tables that map one frame everywhere. */
  function crowded() {
    const guest = new TestGuest(shadowLazyKvm612);
    const { root, pd } = guest.space(0, 0);
    for (let t = 0; t < 3; t++) {
      guest.set(pd, t, 0x140 + t, userLink);
      for (let i = 0; i < 512; i++) guest.set(0x140 + t, i, guest.data(0), userPage);
    }
    guest.load(root);
    const touch = (from: number, to: number) => {
      for (let page = from; page < to; page += 8) guest.read(page);
    };
    return { guest, touch };
  }

  // Planted: a limit one lower or higher; a map that forgets the newcomer only.
  test("loses all of them when it gets one over 1001", () => {
    const { guest, touch } = crowded();
    touch(0, 1000);
    const before = guest.cost(() => undefined).leafEntries4kNow;
    // 1000 so far. The second of the group of 8 is one too many and takes the one that faulted with it, so that
    // the access faults once more and finds the other six filled.
    const over = guest.cost(() => guest.read(1000));
    expect(over).toMatchObject({ exits: 2, entriesDropped: 1002, entriesPrefetched: 7 + 1 });
    expect(over.leafEntries4kNow).toBe(before - 1000 + 8);
    expect(guest.exits(() => guest.read(0))).toBe(1);
  });

  test("loses all of them when the host takes it, by one flush", () => {
    const { guest, touch } = crowded();
    touch(0, 80);
    const start = guest.data(0);
    const gone = guest.cost(() => guest.host({ kind: "evict", start, frames: 1 }));
    expect(gone).toMatchObject({ entriesDropped: 80, remoteFlushes: 1, remoteInterrupts: 1 });
    expect(guest.cost(() => guest.read(0))).toMatchObject({ hostMajorFaults: 1 });
  });

  test("is protected in each when it is logged, and costs each one fault", () => {
    const { guest, touch } = crowded();
    touch(0, 16);
    guest.host({ kind: "dirty-log-on", start: guest.data(0), frames: 1 });
    guest.write(0);
    guest.host({ kind: "dirty-log-get" });
    expect(guest.exits(() => [0, 1, 2].forEach((page) => guest.write(page)))).toBe(3);
    expect(guest.host({ kind: "dirty-log-get" })).toEqual([guest.data(0)]);
  });
});

describe("on 2 MiB host pages", () => {
  test.each([
    ["6.12", shadowLazyKvm612],
    ["legacy TDP", kvmTdpLegacy],
    ["TDP", kvmTdp],
  ] as const)("%s drops a large entry for one frame of it, and counts the other 511", (...of) => {
    const guest = new TestGuest(of[1], { backing: "2m", vcpus: 2 });
    const tables = guest.largeSpace(0);
    guest.load(tables.root);
    const first = guest.cost(() => guest.write(0));
    expect(first).toMatchObject({ exits: 1, entriesFilled: 1 });
    const large = first.leafEntries2mNow;
    const gone = guest.cost(() => guest.host({ kind: "evict", start: 0x805 as Gfn, frames: 1 }));
    expect(gone).toMatchObject({ neighboursUnmapped: 511, remoteInterrupts: 2 });
    expect(gone.leafEntries2mNow).toBe(large - 1);
    expect(gone.entriesDropped).toBe(1);
    // The host's page is split now: small entries, by groups of 8 where there are groups, without the frame that
    // is away.
    const filled = of[0] === "TDP" ? 1 : 5;
    const back = guest.cost(() => guest.write(0));
    expect(back).toMatchObject({ exits: 1, hostMajorFaults: 0, entriesFilled: filled });
    expect(back.leafEntries4kNow - gone.leafEntries4kNow).toBe(filled);
    expect(guest.cost(() => guest.write(5))).toMatchObject({ exits: 1, hostMajorFaults: 1 });
  });

  test("a guest table inside the large page keeps it small", () => {
    const guest = new TestGuest(shadowLazyKvm612, { backing: "2m" });
    const tables = guest.largeSpace(0);
    guest.set(tables.pd, 1, 0x900, userLink);
    guest.set(0x900, 0, 0xa00, userPage);
    guest.load(tables.root);
    guest.write(512);
    // Frame 0x900 is a shadowed table, and lies in the 2 MiB that page 0 begins.
    const cost = guest.cost(() => guest.write(0));
    expect(cost).toMatchObject({ entriesFilled: 8, leafEntries2mNow: 0 });
  });
});

// Planted: a table that goes out of sync because a neighbour of its page was touched.
test("a neighbour that is a leaf table is filled read-only, and leaves sync at its own store", () => {
  const { guest, tables } = full(shadowLazyKvm612);
  guest.set(tables.pt, 3, tables.pt, userPage);
  const group = guest.cost(() => guest.read(0));
  expect(group).toMatchObject({ exits: 1, entriesPrefetched: 7, shadowPagesUnsynced: 0 });
  expect(guest.exits(() => guest.read(3))).toBe(0);
  expect(guest.cost(() => guest.write(3))).toMatchObject({ exits: 1, shadowPagesUnsynced: 1 });
});

test("a page without A is filled by its own access only, with A set in the guest's entry", () => {
  const { guest, tables } = full(shadowLazyKvm612);
  guest.set(tables.pt, 2, guest.data(2), freshPage);
  expect(guest.cost(() => guest.read(0))).toMatchObject({ entriesPrefetched: 1 });
  expect(guest.cost(() => guest.read(2))).toMatchObject({ exits: 1, entriesPrefetched: 5 });
  expect(isAccessed(guest.flags(tables.pt, 2))).toBe(true);
});
