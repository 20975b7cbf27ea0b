/**
 * By what a shadow page is found: table, level, rights of the path, WP. And what a vCPU's flush of one address does.
 */
import { expect, test } from "vitest";
import { P, U, W } from "../../machine/entry.ts";
import { ept } from "../ept.ts";
import { npt } from "../npt.ts";
import { shadowLazyKvm61, shadowLazyKvm612 } from "../shadow-lazy.ts";
import { tableFlags, TestGuest, userPage } from "./test-guest.ts";

test("below tables that are linked a fault makes nothing and finds nothing", () => {
  const guest = new TestGuest(shadowLazyKvm612);
  const tables = guest.space(0, 64);
  guest.load(tables.root);
  expect(guest.cost(() => guest.write(0))).toMatchObject({ shadowPagesAllocated: 3 });
  const more = guest.cost(() => [8, 16, 24].forEach((page) => guest.write(page)));
  expect(more).toMatchObject({ exits: 3, shadowPagesAllocated: 0, shadowPagesFound: 0 });
});

// Planted: a page found by its frame alone, without the rights of the path, or without its level.
test("a table under two paths of different rights has two shadows, under equal ones one", () => {
  const guest = new TestGuest(shadowLazyKvm612);
  const { root, pd, pt } = guest.space(0, 16);
  guest.set(pd, 1, pt, tableFlags & ~W);
  guest.set(pd, 2, pt, tableFlags);
  guest.load(root);
  guest.write(0);
  const readOnly = guest.cost(() => guest.read(512));
  expect(readOnly).toMatchObject({ shadowPagesAllocated: 1, shadowPagesFound: 0 });
  const same = guest.cost(() => guest.read(1024));
  expect(same).toMatchObject({ shadowPagesAllocated: 0, shadowPagesFound: 1, exits: 1 });
  expect(guest.exits(() => guest.write(1024))).toBe(0);
  expect(guest.cost(() => guest.write(512))).toMatchObject({ exits: 1, guestPageFaults: 1 });
});

test("a frame that serves as a table of two levels has a shadow for each", () => {
  const guest = new TestGuest(shadowLazyKvm612);
  const { root, pd, pt } = guest.space(0, 16);
  // Seen one level up: the PD serves as PDPT, the leaf table as PD, and its own entry 0 leads to it as a leaf table.
  guest.set(root, 2, pd, tableFlags);
  guest.set(pt, 0, pt, userPage);
  guest.load(root);
  guest.write(1);
  const other = guest.cost(() => guest.read(512 ** 3));
  expect(other).toMatchObject({ shadowPagesAllocated: 2, shadowPagesFound: 1 });
});

test.each([
  ["6.1", shadowLazyKvm61, { entriesDropped: 1, entriesPrefetched: 1 }],
  ["6.12", shadowLazyKvm612, { entriesDropped: 1, entriesPrefetched: 0 }],
] as const)(
  "INVLPG of a changed entry flushes every vCPU once under %s",
  (_name, engine, drops) => {
    const guest = new TestGuest(engine, { vcpus: 3 });
    const { root, pt } = guest.space(0, 16);
    for (const id of [0, 1, 2]) {
      guest.on(id);
      guest.load(root);
    }
    guest.write(0);
    guest.store(pt, 0, guest.data(9), userPage);
    const changed = guest.cost(() => guest.invlpg(0));
    expect(changed).toMatchObject({ exits: 1, ...drops, remoteFlushes: 1, remoteInterrupts: 2 });
    // What is not mapped was never cached.
    const absent = guest.cost(() => guest.invlpg(300));
    expect(absent).toMatchObject({ exits: 1, entriesDropped: 0, remoteFlushes: 0 });
  },
);

test.each([
  ["ept", ept],
  ["npt", npt],
])("a page that is read first costs %s no second violation at its store", (_name, engine) => {
  const guest = new TestGuest(engine);
  const { root } = guest.space(0, 4, P | W | U);
  guest.load(root);
  expect(guest.exits(() => guest.read(0))).toBe(1);
  expect(guest.exits(() => guest.write(0))).toBe(0);
});
