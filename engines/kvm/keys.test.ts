/**
 * By what a shadow page is found: table, level, rights of the path, WP. And what a vCPU's flush of one address does.
 */
import { expect, test } from "vitest";
import {
  freshPage,
  userLink,
  userPage,
  withoutUser,
  withoutWrite,
} from "../../machine/formats/x86-entry.ts";
import { ept } from "../ept.ts";
import { npt } from "../npt.ts";
import { shadowLazyKvm61, shadowLazyKvm612 } from "../shadow-lazy.ts";
import { TestGuest } from "./test-guest.ts";

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
  guest.set(pd, 1, pt, withoutWrite(userLink));
  guest.set(pd, 2, pt, userLink);
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
  guest.set(root, 2, pd, userLink);
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

// Planted: an entry whose W is asked for anew, so that it says something else.
test("an entry that a new root's first fault finds as it should be is left alone", () => {
  const guest = new TestGuest(shadowLazyKvm612);
  const [one, two] = [guest.space(0, 4), guest.space(1, 4)];
  guest.load(one.root);
  // The fetch of code: the link from the new root to the kernel's tables is all that is missing.
  const load = guest.cost(() => guest.load(two.root));
  expect(load).toMatchObject({ exits: 2, faultsSpurious: 1, faultsFixed: 0, entriesFilled: 0 });
});

// Planted: an entry that was writable asked anew whether it may be, and given D with the answer.
test("an entry whose rights a sync corrects is writable as before, and silicon sets its D again", () => {
  const guest = new TestGuest(shadowLazyKvm612);
  const { root, pt } = guest.space(0, 4);
  guest.load(root);
  guest.write(0);
  guest.store(pt, 0, guest.data(0), withoutUser(userPage));
  guest.load(root);
  expect(guest.cost(() => guest.write(0))).toMatchObject({ exits: 0, dirtyBitsSet: 1 });
  expect(guest.cost(() => guest.write(0))).toMatchObject({ exits: 0, dirtyBitsSet: 0 });
});

test("a protection fault that is injected drops what the shadow still maps at its address", () => {
  const guest = new TestGuest(shadowLazyKvm612);
  const { root, pt } = guest.space(0, 4, withoutWrite(userPage));
  guest.load(root);
  guest.read(0);
  // Another frame, and no flush: the shadow is stale.
  guest.store(pt, 0, guest.data(9), withoutWrite(userPage));
  expect(guest.exits(() => guest.read(0))).toBe(0);
  const fault = guest.cost(() => guest.write(0));
  expect(fault).toMatchObject({ guestFaultsReflected: 1, entriesDropped: 1 });
  expect(guest.exits(() => guest.read(0))).toBe(1);
});

test("without a limit of its own a guest gets 2 % of its frames in shadow pages, at least 64", () => {
  // 81 pages of 4096 frames: the kernel's four, the three above the leaf tables, and five kept free.
  const recycled = (count: number) => {
    const guest = new TestGuest(shadowLazyKvm612);
    const { root, pd } = guest.space(0, 0);
    for (let i = 0; i < count; i++) {
      guest.set(pd, i, 0x140 + i, userLink);
      guest.set(0x140 + i, 0, guest.data(i), userPage);
    }
    guest.load(root);
    const cost = guest.cost(() => {
      for (let i = 0; i < count; i++) guest.write(i * 512);
    });
    return cost.shadowPagesRecycled;
  };
  expect(recycled(70)).toBe(0);
  expect(recycled(75)).toBeGreaterThan(0);
});

test.each([
  ["ept", ept],
  ["npt", npt],
])("a page that is read first costs %s no second violation at its store", (_name, engine) => {
  const guest = new TestGuest(engine);
  const { root } = guest.space(0, 4, freshPage);
  guest.load(root);
  expect(guest.exits(() => guest.read(0))).toBe(1);
  expect(guest.exits(() => guest.write(0))).toBe(0);
});
