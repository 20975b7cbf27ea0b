/** Large guest pages under trap-on-write shadows and the virtual TLB, counted by hand: leaves, pieces, what goes with what. */
import { describe, expect, test } from "vitest";
import { hostMemoryOf } from "../../hypervisor/memory/host-memory.ts";
import type { Gfn, Vpn } from "../../machine/address.ts";
import { asLarge, lowHalf, noExecute, userPage } from "../../machine/formats/x86-entry.ts";
import { presets } from "../../machine/presets.ts";
import { TestGuest } from "../kvm/test-guest.ts";
import { shadowVtlb } from "../shadow-vtlb.ts";
import { shadowWp } from "../shadow-wp.ts";
import { shadow } from "../shadow.ts";

const gigabyte = 512 ** 2;

const touch = (guest: TestGuest, ...pages: number[]) =>
  guest.cost(() => pages.forEach((page) => guest.write(page)));

/** A page of 1 GiB over the second GiB of memory; the first has the tables. */
function gigabyteGuest(engine: typeof shadow, backing: "4k" | "2m" | "1g") {
  const preset = presets["skylake-sp"];
  const guest = new TestGuest(engine, { backing, guestFrames: 2 * gigabyte, preset });
  const { root, pdpt, pd } = guest.space(0, 0);
  guest.set(pdpt, 0, gigabyte, asLarge(userPage));
  guest.load(root);
  return { guest, pdpt, pd, root };
}

/** How far the frame that page `page` leads to is from the one that it should be. */
function frameError(guest: TestGuest, page: number): number {
  touch(guest, page);
  const expected = hostMemoryOf(guest.hypervisor)!.pfnOf((gigabyte + page) as Gfn);
  return guest.machine.vcpus[0]!.mmu.lastPfn() - expected;
}

describe("under shadow a guest page of 1 GiB", () => {
  // Planted: a table of pieces without a leaf below it, an index of another level.
  test("is a leaf for each host page of 2 MiB, filled by its first touch", () => {
    const { guest } = gigabyteGuest(shadow, "2m");
    expect(touch(guest, 0)).toMatchObject({ exits: 1, hiddenFaults: 1, entriesFilled: 1 });
    expect(touch(guest, 5, 511)).toMatchObject({ exits: 0 });
    const far = touch(guest, 512, 300 * 512 + 17, gigabyte - 1);
    expect(far).toMatchObject({ exits: 3, entriesFilled: 3, shadowPagesAllocated: 0 });
    expect(touch(guest, 0, 513, 300 * 512, gigabyte - 512)).toMatchObject({ exits: 0 });
    for (const page of [5, 513, 300 * 512 + 1, gigabyte - 1])
      expect(frameError(guest, page)).toBe(0);
  });

  test("on small host pages is two levels of pieces, one leaf each", () => {
    const { guest } = gigabyteGuest(shadow, "4k");
    // The lower table, its link and the leaf.
    expect(touch(guest, 7)).toMatchObject({
      exits: 1,
      shadowPagesAllocated: 1,
      entriesFilled: 2,
    });
    expect(touch(guest, 8)).toMatchObject({
      exits: 1,
      shadowPagesAllocated: 0,
      entriesFilled: 1,
    });
    expect(touch(guest, 512 + 8)).toMatchObject({ shadowPagesAllocated: 1, entriesFilled: 2 });
    expect(touch(guest, 7, 8, 512 + 8)).toMatchObject({ exits: 0 });
    for (const page of [7, 8, 512 + 8]) expect(frameError(guest, page)).toBe(0);
  });

  test("on a host page as large is one leaf, there as soon as the root is", () => {
    const { guest } = gigabyteGuest(shadow, "1g");
    expect(touch(guest, 0, 511, 512, gigabyte - 1)).toMatchObject({ exits: 0 });
    // A frame of it goes, and the rest with it.
    const start = (gigabyte + 77) as Gfn;
    const gone = guest.cost(() => guest.host({ kind: "evict", start, frames: 1 }));
    expect(gone).toMatchObject({ entriesDropped: 1, neighboursUnmapped: gigabyte - 1 });
  });

  test("is given up as a whole when its entry changes", () => {
    const { guest, pdpt, pd } = gigabyteGuest(shadow, "4k");
    touch(guest, 0, 512, 513);
    guest.set(pd, 0, 0x800, asLarge(userPage));
    const store = guest.cost(() => guest.store(pdpt, 0, pd, userPage));
    expect(store).toMatchObject({ emulatedPteWrites: 1, entriesDropped: 1 });
    // The same virtual page is another frame now.
    expect(touch(guest, 0)).toMatchObject({ exits: 1, guestPageFaults: 0 });
    expect(guest.machine.vcpus[0]!.mmu.lastPfn()).toBe(
      hostMemoryOf(guest.hypervisor)!.pfnOf(0x800 as Gfn),
    );
  });
});

// Planted: an entry number multiplied where it is a rest; a leaf protected at another place.
test("logging takes W from each small entry at its own place, and a store gives it back there", () => {
  const guest = new TestGuest(shadowWp);
  const tables = guest.space(0, 500);
  // Page 100 holds no code, before and after.
  guest.hypervisor.memory.write(tables.pt, 100, lowHalf(guest.data(100), userPage), noExecute);
  guest.load(tables.root);
  const pages = [1, 100, 499];
  touch(guest, ...pages);
  const start = guest.data(0);
  const on = guest.cost(() => guest.host({ kind: "dirty-log-on", start, frames: 512 }));
  // A leaf was mirrored for each entry of a shadowed table: 500 of the program's, and the kernel's for all memory.
  expect(on).toMatchObject({ entriesWriteProtected: 500 + 512 });
  expect(touch(guest, ...pages)).toMatchObject({ exits: 3 });
  expect(touch(guest, ...pages)).toMatchObject({ exits: 0 });
  expect(guest.host({ kind: "dirty-log-get" })).toEqual(pages.map((page) => guest.data(page)));
  const [vcpu] = guest.machine.vcpus;
  const fetched = (page: number) => guest.cost(() => vcpu!.fetch((512 ** 3 + page) as Vpn));
  expect([99, 100, 101].map((page) => fetched(page).guestPageFaults)).toEqual([0, 1, 0]);
});

describe("under the virtual TLB", () => {
  // With VPID, or every exit would flush.
  const preset = presets["skylake-sp"];

  test("INVLPG drops its entry alone where guest pages are small", () => {
    const guest = new TestGuest(shadowVtlb, { preset });
    guest.load(guest.space(0, 8).root);
    touch(guest, 0, 1, 2);
    expect(guest.cost(() => guest.invlpg(1))).toMatchObject({ exits: 1, flushesLinear: 0 });
    expect(touch(guest, 0, 2)).toMatchObject({ exits: 0 });
    expect(touch(guest, 1)).toMatchObject({ exits: 1 });
    expect(guest.cost(() => guest.invlpg(512 * 9))).toMatchObject({ exits: 1 });
    expect(touch(guest, 0, 1, 2)).toMatchObject({ exits: 0 });
  });

  // Planted: pieces that stay; a region that is taken for pieces for ever after.
  test("INVLPG drops every piece of a 2 MiB page, and none when small pages are there instead", () => {
    const guest = new TestGuest(shadowVtlb, { preset });
    const tables = guest.largeSpace(0);
    guest.load(tables.root);
    guest.set(tables.pd, 1, 0xa00, asLarge(userPage));
    expect(touch(guest, 0, 9, 511, 512)).toMatchObject({ exits: 4 });
    // Of whichever piece; the neighbouring large page keeps its own.
    expect(guest.cost(() => guest.invlpg(77))).toMatchObject({ exits: 1, flushesLinear: 1 });
    expect(touch(guest, 512)).toMatchObject({ exits: 0 });
    for (let i = 0; i < 3; i++) guest.set(tables.pt, i, guest.data(20 + i), userPage);
    guest.set(tables.pd, 0, tables.pt, userPage);
    expect(touch(guest, 0, 1, 2)).toMatchObject({ exits: 3 });
    expect(guest.cost(() => guest.invlpg(1))).toMatchObject({ exits: 1, flushesLinear: 0 });
    expect(touch(guest, 0, 2)).toMatchObject({ exits: 0 });
    expect(touch(guest, 1)).toMatchObject({ exits: 1 });
  });

  test("INVLPG drops the pieces of a 1 GiB page in all of its regions, and no others", () => {
    const { guest, pdpt } = gigabyteGuest(shadowVtlb, "4k");
    guest.set(pdpt, 1, gigabyte, asLarge(userPage));
    const pages = [0, 511, 512, 300 * 512, gigabyte - 1];
    expect(touch(guest, ...pages, gigabyte)).toMatchObject({ exits: pages.length + 1 });
    guest.invlpg(5 * 512);
    expect(touch(guest, gigabyte)).toMatchObject({ exits: 0 });
    expect(touch(guest, ...pages)).toMatchObject({ exits: pages.length });
  });

  test("a fault of the guest's own drops what is cached for its address, as silicon does", () => {
    const guest = new TestGuest(shadowVtlb, { preset });
    const tables = guest.space(0, 4);
    guest.load(tables.root);
    touch(guest, 0, 1);
    guest.store(tables.pt, 0, guest.data(0), userPage & ~2);
    // The old entry still lets the kernel store, but user code may not fetch from what nobody maps: page 9.
    guest.machine.vcpus[0]!.read((512 ** 3 + 9) as Vpn);
    expect(touch(guest, 1)).toMatchObject({ exits: 0 });
    expect(guest.faults.length).toBe(1);
  });

  test("a host that takes a frame empties all, and counts what else went", () => {
    const guest = new TestGuest(shadowVtlb, { vcpus: 2 });
    guest.load(guest.space(0, 8).root);
    touch(guest, 0, 1, 2, 3);
    const before = guest.cost(() => undefined);
    expect(before.entriesDropped).toBe(0);
    const start = guest.data(1);
    const gone = guest.cost(() => guest.host({ kind: "evict", start, frames: 2 }));
    // Two pages of the four are its own; kernel pages that the guest used are neighbours as well.
    expect(gone.entriesDropped - gone.neighboursUnmapped).toBe(2);
    expect(gone).toMatchObject({ remoteInterrupts: 2, hostSwapOuts: 2 });
    expect(touch(guest, 0, 3)).toMatchObject({ hostMajorFaults: 0, exits: 2 });
    expect(touch(guest, 1, 2)).toMatchObject({ hostMajorFaults: 2, exits: 2 });
  });
});
