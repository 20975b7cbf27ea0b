/** Shadow pages that go: the oldest to make room, those of a deleted slot, and what a table in a large page takes along. */
import { describe, expect, test } from "vitest";
import { hostMemoryOf } from "../../hypervisor/memory/host-memory.ts";
import type { Gfn, Vpn } from "../../machine/address.ts";
import { asLarge, userLink, userPage } from "../../machine/formats/x86-entry.ts";
import { presets } from "../../machine/presets.ts";
import { shadowLazyKvm612, shadowLazyXen } from "../shadow-lazy.ts";
import { TestGuest } from "./test-guest.ts";

const limit = 64;
/** KVM keeps 5 pages free, and frees until 25 are. */
const recycled = 25 - 4;

/** One space whose page directory has a leaf table of one page for each of its first entries. */
function manyTables(tables: number) {
  const guest = new TestGuest(shadowLazyKvm612, { shadowPagesMax: limit });
  const { root, pd, pt } = guest.space(0, 1);
  for (let i = 1; i < tables; i++) {
    guest.set(pd, i, 0x200 + i, userLink);
    guest.set(0x200 + i, 0, guest.data(i), userPage);
  }
  guest.load(root);
  return { guest, pt };
}

describe("making room", () => {
  // Planted: a root that is zapped though it is in use, a child out of sync that goes uncounted, one page more or fewer.
  test.each([false, true])(
    "zaps the oldest until 25 are free, roots excepted; with a table out of sync: %s",
    (isUnsync) => {
      const { guest, pt } = manyTables(60);
      // Kernel: root, PDPT, PD, one leaf table. Space: root, PDPT, PD.
      let used = 4 + 3;
      let table = 0;
      while (used < limit - 4) {
        const cost = guest.cost(() => guest.write(512 * table));
        expect(cost).toMatchObject({ shadowPagesZapped: 0, shadowPagesRecycled: 0 });
        used += 1;
        table += 1;
        if (isUnsync && table === 1) guest.store(pt, 9, guest.data(9), userPage);
      }
      const full = guest.cost(() => guest.write(512 * table));
      expect(full).toMatchObject({
        shadowPagesRecycled: recycled,
        shadowPagesZapped: recycled,
        shadowPagesUnsyncNow: 0,
      });
      // The space's own upper tables were among the oldest, and are made anew with the leaf table.
      expect(full.shadowPagesAllocated).toBe(3);
      expect(guest.cost(() => guest.write(512 * table)).exits).toBe(0);
    },
  );
});

describe("a table within a large page", () => {
  // Planted: protection of small mappings alone.
  test.each([
    ["2m", 0x800, 2],
    ["1g", 512 ** 2, 3],
  ] as const)(
    "of %s takes W from the whole leaf, before the guest stores to it",
    (backing, first, level) => {
      const guestFrames = level === 3 ? 2 * 512 ** 2 : 4096;
      const preset = presets["skylake-sp"];
      const guest = new TestGuest(shadowLazyKvm612, { backing, guestFrames, preset });
      const { root, pdpt, pd } = guest.space(0, 0);
      guest.set(level === 3 ? pdpt : pd, 0, first, asLarge(userPage));
      guest.load(root);
      expect(guest.exits(() => guest.write(0x100))).toBe(1);
      expect(guest.exits(() => guest.write(0x123))).toBe(0);
      // A root in its midst.
      guest.set(first + 0x100, 0, 0x11, userLink);
      guest.set(first + 0x100, 1, root + 1, userLink);
      const load = guest.cost(() => guest.load((first + 0x100) as Gfn));
      expect(load).toMatchObject({ entriesWriteProtected: 1, shadowPagesAllocated: 1 });
      const store = () => guest.cost(() => guest.write(0x100));
      expect(store()).toMatchObject({ exits: 1, faultsEmulated: 1 });
      expect(guest.cost(() => guest.write(0x101))).toMatchObject({ faultsEmulated: 0 });
    },
  );
});

// Planted: a root found by its key that still counts the stores of an earlier life.
test("a root that is found again has not been stored to", () => {
  const guest = new TestGuest(shadowLazyKvm612, { vcpus: 2, preset: presets["skylake-sp"] });
  const spaces = Array.from({ length: 6 }, (_, s) => guest.space(s, 1));
  const root = (s: number) => spaces[s]!.root;
  for (let s = 0; s < 5; s++) guest.load(root(s));
  // The other vCPU stores to the first, which is no cached root of anybody's any more.
  guest.on(1);
  guest.load(root(5));
  const store = () => guest.cost(() => guest.store(root(0), 9, 0, 0)).shadowPagesFlooded;
  expect([store(), store()]).toEqual([0, 0]);
  guest.on(0);
  expect(guest.cost(() => guest.load(root(0)))).toMatchObject({
    shadowPagesFound: 1,
    shadowPagesAllocated: 0,
  });
  guest.on(1);
  expect([store(), store(), store()]).toEqual([0, 0, 1]);
});

// Planted: a page that is gone already, but still somebody's root, zapped again.
test("a deleted slot takes every shadow page once, those that are only somebody's root not again", () => {
  const guest = new TestGuest(shadowLazyKvm612, { vcpus: 2, preset: presets["skylake-sp"] });
  const [one, two] = [guest.space(0, 1), guest.space(1, 1)];
  guest.on(1);
  guest.load(two.root);
  guest.write(0);
  guest.on(0);
  guest.load(one.root);
  guest.write(0);
  const flood = guest.cost(() => {
    for (let i = 0; i < 3; i++) guest.machine.vcpus[0]!.write(two.root as number as Vpn, 8 * 9);
  });
  // The other vCPU has not been entered since, so its root is invalid but there.
  expect(flood).toMatchObject({ shadowPagesFlooded: 1, shadowPagesZapped: 1 });
  // A table out of sync goes with the one above it, and not again in its own turn.
  guest.store(one.pt, 9, guest.data(9), userPage);
  const gone = guest.cost(() =>
    guest.host({ kind: "slot-delete", start: 0xc00 as Gfn, frames: 1 }),
  );
  // Kernel: 4. The first space: 4. The second: PDPT, PD and leaf table.
  expect(gone).toMatchObject({ shadowPagesZapped: 4 + 4 + 3 });
});

// Planted: a flush whether or not anything was protected.
test("reading a log in which nothing is flushes nobody", () => {
  const guest = new TestGuest(shadowLazyKvm612, { vcpus: 2 });
  guest.load(guest.space(0, 4).root);
  guest.write(0);
  guest.host({ kind: "dirty-log-on", start: guest.data(0), frames: 4 });
  const get = () => guest.cost(() => guest.host({ kind: "dirty-log-get" })).remoteInterrupts;
  expect(get()).toBe(0);
  guest.write(0);
  expect([get(), get()]).toEqual([2, 0]);
});

// Planted: a table out of sync linked as it is.
test("Xen links a table that is out of sync as the guest has it now", () => {
  const guest = new TestGuest(shadowLazyXen);
  const { root, pd, pt } = guest.space(0, 4);
  guest.load(root);
  for (let page = 0; page < 4; page++) guest.write(page);
  guest.store(pt, 1, guest.data(30), userPage);
  // The guest owes no flush for an entry that becomes present.
  guest.store(pd, 3, pt, userLink);
  guest.write(3 * 512 + 1);
  guest.cost(() => undefined);
  const memory = hostMemoryOf(guest.hypervisor);
  expect(guest.machine.vcpus[0]!.mmu.lastPfn()).toBe(memory?.pfnOf(guest.data(30)));
});
