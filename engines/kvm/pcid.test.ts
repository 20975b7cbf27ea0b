/**
 * Roots under PCIDs, counted by hand: which loads find a cached root (nothing to do), which find the shadow by its
 * key, and which owe a sync. A vCPU keeps its current root and three more.
 */
import { userPage } from "../../machine/formats/x86-entry.ts";
import { describe, expect, test } from "vitest";
import type { Vpn } from "../../machine/address.ts";
import { presets } from "../../machine/presets.ts";
import { shadowLazyKvm612 } from "../shadow-lazy.ts";
import { TestGuest } from "./test-guest.ts";

const userVpn = (512 ** 3) as Vpn;

/** Six spaces, each loaded once under a PCID of its own (s + 1); space 5 runs. */
function guestOf() {
  const guest = new TestGuest(shadowLazyKvm612, { preset: presets["skylake-sp"] });
  const vcpu = guest.machine.vcpus[0]!;
  const spaces = Array.from({ length: 6 }, (_, s) => guest.space(s, 16));
  vcpu.writeRegisters("cr4", { ...vcpu.registers, pcid: true });
  const load = (s: number, how: "keep" | "flush") =>
    guest.cost(() => vcpu.writeCr3(spaces[s]!.root, s + 1, how === "keep"));
  for (let s = 0; s < 6; s++) {
    load(s, "flush");
    guest.write(0);
  }
  const unsync = (s: number) => guest.store(spaces[s]!.pt, 20, guest.data(20), userPage);
  return { guest, vcpu, load, unsync };
}

const cached = { exits: 1, shadowPagesFound: 0, shadowPagesAllocated: 0, shadowPagesSynced: 0 };
const found = { ...cached, shadowPagesFound: 1 };

describe("a load", () => {
  // Planted: one cached root fewer or more, the oldest that stays, a hit that does not move to the front.
  test("of one of the last four roots finds it cached, of an older one by its key", () => {
    const { load } = guestOf();
    for (const s of [5, 4, 3, 2]) expect(load(s, "keep"), `space ${s}`).toMatchObject(cached);
    expect(load(1, "keep")).toMatchObject(found);
    // That took the place of space 5, used longest ago.
    for (const s of [2, 3, 4]) expect(load(s, "keep"), `space ${s}`).toMatchObject(cached);
    expect(load(5, "keep")).toMatchObject(found);
    expect(load(1, "keep")).toMatchObject(found);
  });

  test("that keeps its PCID's translations syncs nothing, one that flushes them does", () => {
    const { guest, load, unsync } = guestOf();
    unsync(4);
    expect(load(4, "keep")).toMatchObject({ ...cached, shadowPagesUnsyncNow: 1, flushesLinear: 0 });
    load(3, "keep");
    expect(load(4, "keep")).toMatchObject({ ...cached, cr3WritesKept: 1, shadowPagesUnsyncNow: 1 });
    load(3, "keep");
    const flushed = load(4, "flush");
    expect(flushed).toMatchObject({ ...cached, shadowPagesSynced: 1, shadowPagesUnsyncNow: 0 });
    expect(flushed).toMatchObject({ cr3WritesKept: 0, flushesLinear: 2 });
    expect(guest.cost(() => unsync(4)).exits).toBe(1);
  });

  test("under another PCID is another root of the same shadow", () => {
    const { guest, vcpu, load } = guestOf();
    const root = guest.space(5, 16).root;
    expect(guest.cost(() => vcpu.writeCr3(root, 9, true))).toMatchObject(found);
    expect(load(5, "keep")).toMatchObject(cached);
  });
});

describe("INVPCID", () => {
  // Planted: the context of every PCID but the one named, the current root forgotten with the others.
  test("of a context forgets the cached root of that PCID, and no other", () => {
    const { guest, vcpu, load, unsync } = guestOf();
    unsync(3);
    vcpu.invpcid("context", 3 + 1);
    expect(load(4, "keep")).toMatchObject(cached);
    // Found by its key, a root is synced before it is entered.
    expect(load(3, "keep")).toMatchObject({ ...found, shadowPagesSynced: 1 });
    expect(load(5, "keep")).toMatchObject(cached);
    const nobody = guest.cost(() => vcpu.invpcid("context", 77));
    expect(nobody).toMatchObject({ exits: 1, shadowPagesSynced: 0 });
    for (const s of [4, 3, 5]) expect(load(s, "keep"), `space ${s}`).toMatchObject(cached);
  });

  test("of the context that runs syncs its root at once", () => {
    const { guest, vcpu, load, unsync } = guestOf();
    unsync(5);
    unsync(4);
    const own = guest.cost(() => vcpu.invpcid("context", 5 + 1));
    expect(own).toMatchObject({ exits: 1, shadowPagesSynced: 1, shadowPagesUnsyncNow: 1 });
    expect(load(4, "keep")).toMatchObject({ ...cached, shadowPagesUnsyncNow: 1 });
  });

  test.each(["all", "all-with-globals"] as const)(
    "of %s syncs the current root and forgets those that are out of sync",
    (type) => {
      const { guest, vcpu, load, unsync } = guestOf();
      for (const s of [5, 3]) unsync(s);
      const all = guest.cost(() => vcpu.invpcid(type, 0));
      expect(all).toMatchObject({ exits: 1, shadowPagesSynced: 1, shadowPagesUnsyncNow: 1 });
      expect(load(4, "keep")).toMatchObject(cached);
      expect(load(3, "keep")).toMatchObject({ ...found, shadowPagesSynced: 1 });
      expect(load(5, "keep")).toMatchObject(cached);
    },
  );

  test("of an address acts on the roots of its PCID alone", () => {
    const { guest, vcpu, load, unsync } = guestOf();
    unsync(4);
    guest.store(0x100 + 0x40 + 3, 0, guest.data(9), userPage);
    const other = guest.cost(() => vcpu.invpcid("address", 77, userVpn));
    expect(other).toMatchObject({ exits: 1, entriesDropped: 0 });
    // 6.12 drops an entry whose frame changed.
    const named = guest.cost(() => vcpu.invpcid("address", 4 + 1, userVpn));
    expect(named).toMatchObject({ exits: 1, entriesDropped: 1 });
    expect(load(4, "keep")).toMatchObject(cached);
    expect(guest.cost(() => guest.write(0))).toMatchObject({ exits: 1, entriesFilled: 1 });
  });
});

describe("a change of mode", () => {
  test("of PGE flushes and syncs, and forgets cached roots only if they are out of sync", () => {
    const { guest, vcpu, load, unsync } = guestOf();
    for (const s of [5, 4]) unsync(s);
    const pge = guest.cost(() =>
      vcpu.writeRegisters("cr4", { ...vcpu.registers, globalPages: false }),
    );
    expect(pge).toMatchObject({ exits: 1, shadowPagesSynced: 1, shadowPagesAllocated: 0 });
    expect(load(3, "keep")).toMatchObject(cached);
    expect(load(4, "keep")).toMatchObject({ ...found, shadowPagesSynced: 1 });
  });

  // Planted: shadows of one WP mode that serve the other.
  test("of WP needs other shadows, and finds the old ones when it is set again", () => {
    const { guest, vcpu, load } = guestOf();
    const write = (writeProtect: boolean) =>
      guest.cost(() => vcpu.writeRegisters("cr0", { ...vcpu.registers, writeProtect }));
    expect(write(false)).toMatchObject({ exits: 1, shadowPagesAllocated: 1, shadowPagesFound: 0 });
    expect(write(true)).toMatchObject(found);
    // All cached roots went with the mode.
    expect(load(4, "keep")).toMatchObject(found);
    expect(load(5, "keep")).toMatchObject(cached);
  });

  test("of PCIDE from 1 to 0 keeps the roots, since they are what CR3 says", () => {
    const { guest, vcpu, load } = guestOf();
    load(0, "keep");
    const cost = guest.cost(() => vcpu.writeRegisters("cr4", { ...vcpu.registers, pcid: false }));
    expect(cost).toMatchObject({ exits: 1, shadowPagesAllocated: 0, shadowPagesFound: 0 });
  });
});
