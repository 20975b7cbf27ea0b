/** What the KVM engines do where few guests go, each counted by hand: large pages, odd stores, entries that are not there. */
import { describe, expect, test } from "vitest";
import type { Gfn, Vpn } from "../../machine/address.ts";
import {
  asLarge,
  userLink,
  userPage,
  withoutPresent,
  withoutWrite,
} from "../../machine/formats/x86-entry.ts";
import { presets } from "../../machine/presets.ts";
import { kvmTdpLegacy } from "../kvm-tdp-legacy.ts";
import { shadowLazy, shadowLazyKvm61, shadowLazyKvm612 } from "../shadow-lazy.ts";
import { TestGuest } from "./test-guest.ts";

const kernels = [
  ["6.1", shadowLazyKvm61],
  ["6.12", shadowLazyKvm612],
] as const;

describe.each(kernels)("kernel %s", (_name, engine) => {
  function running(pages = 16) {
    const guest = new TestGuest(engine);
    const tables = guest.space(0, pages);
    guest.load(tables.root);
    for (let page = 0; page < pages; page++) guest.write(page);
    return { guest, tables, vcpu: guest.machine.vcpus[0]! };
  }

  // Planted: a store across two entries taken for one of an entry.
  test("a store across two entries unshadows the table, an aligned one drops its entry", () => {
    const { guest, tables, vcpu } = running();
    const aligned = guest.cost(() => vcpu.write(tables.pd as number as Vpn, 8));
    expect(aligned).toMatchObject({
      exits: 1,
      emulatedPteWrites: 1,
      shadowPagesFlooded: 0,
      shadowPagesZapped: 0,
    });
    const across = guest.cost(() => vcpu.write(tables.pd as number as Vpn, 12));
    expect(across).toMatchObject({
      exits: 1,
      emulatedPteWrites: 1,
      shadowPagesFlooded: 1,
      shadowPagesZapped: 1,
    });
    // It is data now: one fault makes it writable again, and that is all.
    const data = () => guest.exits(() => vcpu.write(tables.pd as number as Vpn, 12));
    expect([data(), data()]).toEqual([1, 0]);
  });

  // Planted: an upper table that goes and leaves what is out of sync below it to itself.
  test("an upper table that goes takes the tables out of sync below it along, and leaves those in sync", () => {
    const { guest, tables, vcpu } = running();
    guest.set(tables.pd, 1, 0x108, userLink);
    guest.set(0x108, 0, guest.data(9), userPage);
    guest.write(512);
    guest.store(tables.pt, 20, guest.data(20), userPage);
    const gone = guest.cost(() => vcpu.write(tables.pd as number as Vpn, 4));
    expect(gone).toMatchObject({ shadowPagesZapped: 2, shadowPagesUnsyncNow: 0 });
    // Both tables are made anew; the one that was in sync is found.
    expect(guest.cost(() => guest.write(0))).toMatchObject({
      shadowPagesAllocated: 2,
      shadowPagesFound: 0,
    });
    expect(guest.cost(() => guest.write(512))).toMatchObject({
      shadowPagesAllocated: 0,
      shadowPagesFound: 1,
    });
  });

  // Planted: a walk that goes on below an entry that is not present.
  test.each([
    ["of the leaf table", 300],
    ["of the table above", 512 * 7],
    ["of the next", 512 ** 2 * 7],
    ["of the root", 512 ** 3 * 7],
  ])("INVLPG of an address without an entry %s does nothing else", (_where, page) => {
    const { guest, tables } = running();
    guest.store(tables.pt, 20, guest.data(20), userPage);
    const cost = guest.cost(() => guest.invlpg(page));
    expect(cost).toMatchObject({ exits: 1, shadowPagesUnsyncNow: 1, entriesDropped: 0 });
    expect(guest.exits(() => guest.write(0))).toBe(0);
  });

  // Planted: the old frame's reverse map kept, the new one's never made.
  test("a fault that finds another frame at an entry moves the reverse map along", () => {
    const { guest, tables } = running();
    guest.set(tables.pt, 0, guest.data(0), withoutWrite(userPage));
    guest.store(tables.pt, 1, guest.data(1), withoutWrite(userPage));
    guest.load(tables.root);
    guest.store(tables.pt, 1, guest.data(40), userPage);
    // No flush: the old entry is read-only, so the store faults, and the new frame takes its place.
    expect(guest.cost(() => guest.write(1))).toMatchObject({ exits: 1, entriesDropped: 1 });
    const reclaim = (i: number) =>
      guest.cost(() => guest.host({ kind: "reclaim", start: guest.data(i), frames: 1 }));
    expect(reclaim(1)).toMatchObject({ entriesDropped: 0 });
    expect(reclaim(40)).toMatchObject({ entriesDropped: 1 });
    expect(guest.cost(() => guest.write(1))).toMatchObject({ exits: 1, hostFaults: 1 });
  });
});

describe("a large guest page", () => {
  const touch = (guest: TestGuest, ...pages: number[]) =>
    guest.cost(() => pages.forEach((page) => guest.write(page)));

  // Planted: small entries that stay for ever, that go though no large one could come, that go without a flush.
  test("comes back at the first fault after a log, where the host's page is large", () => {
    const guest = new TestGuest(shadowLazyKvm612, { backing: "2m" });
    const tables = guest.largeSpace(0);
    guest.load(tables.root);
    expect(touch(guest, 0, 100, 511)).toMatchObject({ exits: 1, entriesFilled: 1 });
    const on = guest.cost(() =>
      guest.host({ kind: "dirty-log-on", start: 0x800 as Gfn, frames: 512 }),
    );
    expect(on).toMatchObject({ entriesWriteProtected: 1, remoteInterrupts: 1 });
    // Pieces: one store each, and none of them prefetched, for each would count as written.
    expect(touch(guest, 0, 100).exits).toBe(2);
    const off = guest.cost(() => guest.host({ kind: "dirty-log-off" }));
    expect(off).toMatchObject({ entriesDropped: 2, remoteInterrupts: 1 });
    expect(touch(guest, 5, 0, 100, 511)).toMatchObject({ exits: 1, entriesFilled: 1 });
    // The large leaf is all there is: it goes as a whole, with 511 neighbours.
    const gone = guest.cost(() => guest.host({ kind: "reclaim", start: guest.data(7), frames: 1 }));
    expect(gone).toMatchObject({ neighboursUnmapped: 511, entriesDropped: 1 });
  });

  test("stays in pieces where the host's pages are small, logged or not", () => {
    const guest = new TestGuest(shadowLazyKvm612);
    const tables = guest.largeSpace(0);
    guest.load(tables.root);
    touch(guest, 0, 100);
    guest.host({ kind: "dirty-log-on", start: 0x800 as Gfn, frames: 512 });
    touch(guest, 0, 100);
    expect(guest.cost(() => guest.host({ kind: "dirty-log-off" }))).toMatchObject({
      entriesDropped: 0,
      remoteInterrupts: 0,
    });
    expect(touch(guest, 0, 100)).toMatchObject({ exits: 0 });
  });
});

describe("1 GiB of guest and host", () => {
  const gigabyte = 512 ** 2;
  /** Tables lie in the first GiB, data in the second. */
  function guestOf(engine: typeof shadowLazy, backing: "1g" | "2m" = "1g") {
    const preset = presets["skylake-sp"];
    const guest = new TestGuest(engine, { backing, guestFrames: 2 * gigabyte, preset });
    const { root, pdpt } = guest.space(0, 0);
    guest.set(pdpt, 0, gigabyte, asLarge(userPage));
    guest.load(root);
    const touch = (...pages: number[]) =>
      guest.cost(() => pages.forEach((page) => guest.write(page)));
    return { guest, pdpt, touch };
  }

  // Planted: no page of 1 GiB at all; one around a table.
  test.each([
    ["shadow-lazy", shadowLazy],
    ["kvm-tdp-legacy", kvmTdpLegacy],
  ] as const)(
    "are one leaf under %s where no table lies, and smaller ones elsewhere",
    (_, engine) => {
      const { guest, touch } = guestOf(engine);
      expect(touch(0)).toMatchObject({ exits: 1, entriesFilled: 1, hostFaults: 1 });
      expect(touch(1, 511, 512, 300 * 512, gigabyte - 1)).toMatchObject({ exits: 0 });
      const isShadow = engine === shadowLazy;
      const { pdpt } = guest.space(0, 0);
      guest.set(pdpt, 1, 0, asLarge(userPage));
      // The guest's own tables are in the first GiB: shadows of them forbid a leaf over them.
      const far = touch(gigabyte + 300 * 512, gigabyte + 301 * 512, gigabyte + 301 * 512 + 9);
      expect(far.exits).toBe(isShadow ? 2 : 0);
    },
  );

  test("on host pages of 2 MiB are leaves of 2 MiB", () => {
    const { touch } = guestOf(shadowLazy, "2m");
    expect(touch(0, 511, 512, 1023).exits).toBe(2);
    expect(touch(0, 511, 512, 1023).exits).toBe(0);
  });

  test("not present are no page at all", () => {
    const { guest, pdpt } = guestOf(shadowLazy);
    guest.set(pdpt, 1, gigabyte, withoutPresent(asLarge(userPage)));
    expect(guest.cost(() => guest.write(gigabyte))).toMatchObject({ guestPageFaults: 1 });
  });
});
