/**
 * Trap-on-write shadows by their counts: large guest pages, tables that are given up, roots that cannot be.
 */
import { describe, expect, test } from "vitest";
import {
  asLarge,
  freshPage,
  kernelLink,
  kernelPage,
  lowHalf,
  noExecute,
  userLink,
  userPage,
  withoutPresent,
  withoutUser,
  withoutWrite,
} from "../../machine/formats/x86-entry.ts";
import { PF_FETCH, PF_PRESENT, PF_USER, PF_WRITE } from "../../machine/page-fault.ts";
import type { Gfn, Vpn } from "../../machine/address.ts";
import { OutsideMemory } from "../../machine/outside-memory.ts";
import { ept } from "../ept.ts";
import { kvmTdpLegacy } from "../kvm-tdp-legacy.ts";
import { TestGuest } from "../kvm/test-guest.ts";
import { shadowLazy, shadowLazyXen } from "../shadow-lazy.ts";
import { shadowVtlb } from "../shadow-vtlb.ts";
import { shadowWp } from "../shadow-wp.ts";
import { shadow } from "../shadow.ts";

const touch = (guest: TestGuest, pages: readonly number[]) =>
  guest.cost(() => pages.forEach((page) => guest.write(page)));

describe("a large guest page", () => {
  test("on small host pages has a table of pieces, each filled by a fault", () => {
    const guest = new TestGuest(shadow);
    const tables = guest.largeSpace(0);
    const load = guest.cost(() => guest.load(tables.root));
    // Root, PDPT, PD, the guest's own empty table is not linked; and the table of pieces.
    expect(load).toMatchObject({ shadowPagesAllocated: 4, exits: 1 });
    expect(touch(guest, [0, 5, 511])).toMatchObject({
      exits: 3,
      hiddenFaults: 3,
      entriesFilled: 3,
    });
    expect(touch(guest, [0, 5, 511])).toMatchObject({ exits: 0 });
    // A second space with the same page finds the pieces.
    const other = guest.largeSpace(1);
    expect(guest.cost(() => guest.load(other.root)).shadowPagesAllocated).toBe(3);
    expect(touch(guest, [0, 5, 511])).toMatchObject({ exits: 0 });
    // The entry changes: the pieces are unlinked and silicon forgets them all.
    const store = guest.cost(() =>
      guest.store(other.pd, 0, 0x800, asLarge(withoutWrite(userPage))),
    );
    expect(store).toMatchObject({ emulatedPteWrites: 1, entriesFilled: 1, entriesDropped: 1 });
  });

  test("on large host pages is one leaf, until a guest table lies in it", () => {
    const guest = new TestGuest(shadow, { backing: "2m" });
    const tables = guest.largeSpace(0);
    const load = guest.cost(() => guest.load(tables.root));
    expect(load).toMatchObject({ shadowPagesAllocated: 3, exits: 1 });
    expect(touch(guest, [0, 5, 511])).toMatchObject({ exits: 0 });
    // A root inside the page: what mapped it large goes, and comes back in pieces.
    guest.set(0x900, 0, 0x11, userLink);
    guest.set(0x900, 1, tables.pdpt, userLink);
    expect(guest.cost(() => guest.load(0x900 as Gfn)).entriesDropped).toBeGreaterThan(0);
    expect(touch(guest, [0])).toMatchObject({ exits: 1, hiddenFaults: 1 });
    expect(touch(guest, [0])).toMatchObject({ exits: 0 });
    // The table itself stays read-only, and a store of data to it is emulated while it is a root.
    expect(touch(guest, [0x100])).toMatchObject({ exits: 1, emulatedStores: 1 });
    expect(touch(guest, [0x100])).toMatchObject({ exits: 1, emulatedStores: 1 });
  });
});

test("the pieces of a large page go when a log ends, and a fault brings the large leaf back", () => {
  const guest = new TestGuest(shadowWp, { backing: "2m" });
  const tables = guest.largeSpace(0);
  guest.load(tables.root);
  guest.host({ kind: "dirty-log-on", start: 0x800 as Gfn, frames: 512 });
  expect(touch(guest, [0, 5])).toMatchObject({ exits: 2 });
  const off = guest.cost(() => guest.host({ kind: "dirty-log-off" }));
  expect(off).toMatchObject({ hugePagesCollapsed: 1, shadowPagesZapped: 1, remoteInterrupts: 1 });
  expect(touch(guest, [0, 5, 511])).toMatchObject({ exits: 1, entriesFilled: 1 });
  // Where there are no pieces, there is nothing to take away.
  guest.host({ kind: "dirty-log-on", start: 0xa00 as Gfn, frames: 512 });
  const other = guest.cost(() => guest.host({ kind: "dirty-log-off" }));
  expect(other).toMatchObject({ hugePagesCollapsed: 0, shadowPagesZapped: 0 });
});

// Planted: another root under a PCID that keeps the pieces of the old one, a load that flushes always.
test("a CR3 load that keeps its PCID flushes only if the PCID had another root", () => {
  const guest = new TestGuest(shadow);
  const [one, two] = [guest.space(0, 4), guest.space(1, 4)];
  const vcpu = guest.machine.vcpus[0]!;
  vcpu.writeRegisters("cr4", { ...vcpu.registers, pcid: true });
  const load = (root: Gfn, pcid: number, keep: boolean) =>
    guest.cost(() => vcpu.writeCr3(root, pcid, keep)).flushesContext;
  expect([load(one.root, 1, false), load(two.root, 2, true)]).toEqual([1, 0]);
  expect([load(one.root, 1, true), load(two.root, 2, true)]).toEqual([0, 0]);
  expect([load(two.root, 1, true), load(two.root, 1, true), load(two.root, 1, false)]).toEqual([
    1, 0, 1,
  ]);
});

describe("a table that no root reaches any more", () => {
  // Planted: a frame that stays a table for ever, one that is given up while it is in use.
  test("is given up at the first store of data, one that a root reaches is not", () => {
    const guest = new TestGuest(shadow);
    const [one, two] = [guest.space(0, 4), guest.space(1, 4)];
    guest.load(one.root);
    guest.load(two.root);
    const [vcpu] = guest.machine.vcpus;
    const data = (table: number) => guest.cost(() => vcpu!.write(table as Vpn));
    expect(data(one.pt)).toMatchObject({ exits: 1, shadowPagesZapped: 1, emulatedStores: 0 });
    expect(data(one.pt)).toMatchObject({ exits: 0 });
    expect(data(two.pt)).toMatchObject({ exits: 1, shadowPagesZapped: 0, emulatedStores: 1 });
    // A store of an entry is a table's, whoever reaches it; and the table that went is made again.
    const entry = guest.cost(() => guest.store(one.pd, 9, 0x1f0, userLink));
    expect(entry).toMatchObject({ emulatedPteWrites: 1, shadowPagesZapped: 0 });
    expect(guest.cost(() => guest.load(one.root))).toMatchObject({ exits: 1 });
    expect(touch(guest, [0])).toMatchObject({ exits: 1, hiddenFaults: 1, shadowPagesAllocated: 1 });
    expect(data(one.pt)).toMatchObject({ exits: 1, emulatedStores: 1, shadowPagesZapped: 0 });
  });
});

describe("what the guest may not do", () => {
  test.each([
    ["shadow", shadow],
    ["shadow-vtlb", shadowVtlb],
    ["shadow-lazy", shadowLazy],
    ["ept", ept],
    ["kvm-tdp-legacy", kvmTdpLegacy],
  ] as const)("under %s faults with the error code of its own tables", (_name, engine) => {
    const guest = new TestGuest(engine);
    const { root, pt } = guest.space(0, 4);
    guest.hypervisor.memory.write(pt, 1, (0x801 << 12) | userPage, noExecute);
    guest.set(pt, 2, 0x802, userPage & ~4);
    guest.set(pt, 3, 0x803, withoutWrite(userPage));
    guest.load(root);
    const [vcpu] = guest.machine.vcpus;
    const page = (i: number) => (512 ** 3 + i) as Vpn;
    vcpu!.fetch(page(1));
    // Read first: what maps a read-only page for a load must not let the store through.
    vcpu!.read(page(3));
    vcpu!.write(page(3));
    vcpu!.fetch(page(9));
    vcpu!.drain();
    vcpu!.setPrivilege("user");
    vcpu!.read(page(2));
    vcpu!.write(page(3));
    vcpu!.fetch(page(1));
    vcpu!.read(page(9));
    vcpu!.drain();
    vcpu!.setPrivilege("supervisor");
    expect(guest.faults.map(({ error }) => error)).toEqual([
      PF_PRESENT | PF_FETCH,
      PF_PRESENT | PF_WRITE,
      PF_FETCH,
      PF_PRESENT | PF_USER,
      PF_PRESENT | PF_USER | PF_WRITE,
      PF_PRESENT | PF_USER | PF_FETCH,
      PF_USER,
    ]);
  });

  test.each([
    ["shadow", shadow],
    ["shadow-vtlb", shadowVtlb],
    ["shadow-lazy", shadowLazy],
    ["ept", ept],
  ] as const)("under %s sets A and D in an entry, and leaves its other half", (_name, engine) => {
    const guest = new TestGuest(engine);
    const { root, pt } = guest.space(0, 0);
    const { memory } = guest.hypervisor;
    memory.write(pt, 1, lowHalf(0x801, withoutUser(freshPage)), noExecute);
    guest.load(root);
    guest.cost(() => guest.read(1));
    expect([memory.readLow(pt, 1) & 0xfff, memory.readHigh(pt, 1)]).toEqual([
      kernelLink,
      noExecute,
    ]);
    guest.cost(() => guest.write(1));
    expect(memory.readLow(pt, 1) & 0xfff).toBe(kernelPage);
    expect(memory.readHigh(pt, 1)).toBe(noExecute);
  });

  test.each([
    ["shadow", shadow],
    ["shadow-vtlb", shadowVtlb],
    ["shadow-lazy", shadowLazy],
    ["ept", ept],
  ] as const)("under %s ends with a word when its tables lead outside memory", (_name, engine) => {
    const outside = (use: (guest: TestGuest) => void) => () => {
      const guest = new TestGuest(engine);
      const tables = guest.space(0, 4);
      guest.set(tables.pt, 0, 4096, userPage);
      guest.load(tables.root);
      use(guest);
      guest.cost(() => undefined);
    };
    expect(outside((guest) => guest.load(4096 as Gfn))).toThrow(OutsideMemory);
    expect(outside((guest) => guest.read(0))).toThrow(OutsideMemory);
    expect(outside((guest) => guest.read(1))).not.toThrow();
  });
});

test("Xen writes an entry anew that links a shadowed table, not one that maps a large page there", () => {
  const guest = new TestGuest(shadowLazyXen);
  const { root, pd } = guest.space(0, 0);
  // A leaf table at a frame where a 2 MiB page may begin.
  guest.set(pd, 0, 0x200, userLink);
  guest.set(0x200, 0, guest.data(0), userPage);
  guest.load(root);
  guest.write(0);
  guest.store(pd, 3, 0x200, userLink);
  expect(touch(guest, [3 * 512])).toMatchObject({ exits: 0 });
  guest.store(pd, 4, 0x200, withoutPresent(userLink));
  guest.store(pd, 5, 0x200, asLarge(userPage));
  expect(guest.cost(() => guest.read(5 * 512 + 1))).toMatchObject({ exits: 1, hiddenFaults: 1 });
  expect(guest.cost(() => guest.read(4 * 512))).toMatchObject({ guestPageFaults: 1 });
});
