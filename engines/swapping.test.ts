/** Memory pressure, counted by hand: how many pages go at once, which ones, and what bringing one back costs. */
import { describe, expect, test } from "vitest";
import type { Gfn, Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import { ept } from "./ept.ts";
import { eptWp } from "./ept-wp.ts";
import { hostMemoryOf } from "../hypervisor/memory/host-memory.ts";
import { kvmTdp } from "./kvm-tdp.ts";
import { TestGuest } from "./kvm/test-guest.ts";
import { npt } from "./npt.ts";
import { shadowLazy } from "./shadow-lazy.ts";
import { shadow } from "./shadow.ts";

const frames = 4096;
const engines = { shadow, "shadow-lazy": shadowLazy, ept, npt, "kvm-tdp": kvmTdp } as const;
const names = Object.keys(engines) as (keyof typeof engines)[];

/** All 4096 frames are in memory; the guest itself has only used gfn 0x100 to 0x1ff and its tables. */
function guestOf(name: keyof typeof engines) {
  const guest = new TestGuest(engines[name]);
  const memory = hostMemoryOf(guest.hypervisor);
  const [vcpu] = guest.machine.vcpus;
  assert(memory !== null && vcpu !== undefined, "test: a guest without a host");
  const limit = (pages: number) =>
    guest.cost(() => guest.host({ kind: "memory-limit", frames: pages }));
  /** Reads frames through the guest kernel's mapping of all memory. */
  const read = (first: number, count: number) =>
    guest.cost(() => {
      for (let i = 0; i < count; i++) vcpu.read((first + i) as Vpn);
    });
  const inMemory = () => {
    let pages = 0;
    memory.forEachBacked(() => (pages += 1));
    return pages;
  };
  return { guest, memory, limit, read, inMemory };
}

describe.each(names)("under %s", (name) => {
  test("a limit keeps exactly so many pages", () => {
    const { limit, inMemory } = guestOf(name);
    expect(limit(frames).hostSwapOuts).toBe(0);
    expect(limit(1024).hostSwapOuts).toBe(frames - 1024);
    expect(inMemory()).toBe(1024);
    expect(limit(4000).hostSwapOuts).toBe(0);
  });

  // Planted: batches of 16 or 33, a batch that is a sixteenth of the guest, no batch under a small limit.
  test("one page too many takes a sixteenth of the limit out, at least one page and at most 32", () => {
    const { guest, memory, limit, inMemory } = guestOf(name);
    for (const [pages, batch] of [
      [1024, 32],
      [512, 32],
      [400, 25],
      [271, 16],
      [64, 4],
      [32, 2],
      [15, 1],
      [8, 1],
    ] as const) {
      limit(pages);
      const back = guest.cost(() => memory.touch(0x300 as Gfn));
      expect([back.hostMajorFaults, back.hostSwapOuts], `limit ${pages}`).toEqual([1, 0]);
      expect(guest.cost(() => memory.balance()).hostSwapOuts, `limit ${pages}`).toBe(batch);
      expect(inMemory()).toBe(pages + 1 - batch);
      expect(guest.cost(() => memory.balance()).hostSwapOuts).toBe(0);
      guest.host({ kind: "evict", start: 0x300 as Gfn, frames: 1 });
    }
  });

  test("many pages too many go all at once, not a batch of them", () => {
    const { guest, memory, limit } = guestOf(name);
    limit(1024);
    for (let i = 0; i < 100; i++) memory.touch((0x300 + i) as Gfn);
    expect(guest.cost(() => memory.balance()).hostSwapOuts).toBe(100);
  });

  test("every page comes back by one major fault, and by none once it is there", () => {
    const { guest, memory, limit } = guestOf(name);
    limit(1024);
    limit(frames);
    const all = () => {
      for (let gfn = 0; gfn < frames; gfn++) memory.touch(gfn as Gfn);
    };
    const back = guest.cost(all);
    expect([back.hostMajorFaults, back.hostFaults]).toEqual([frames - 1024, 0]);
    expect(guest.cost(all).hostMajorFaults).toBe(0);
  });
});

/**
 * Here a page is young if silicon set A since the hand came by, for a page that nobody used is not mapped. What
 * goes beside pages of data: shadows are walked in the place of the guest's four tables, so those are never used.
 */
const demandMapped = [
  ["shadow-lazy", 4],
  ["ept", 0],
  ["npt", 0],
  ["kvm-tdp", 0],
] as const;

describe.each(demandMapped)("under %s, with A bits", (name, tables) => {
  // Planted: an `age` that says no, one that leaves A set, a clock without its flush.
  test("the hand passes by what was used since it last came, and takes the rest", () => {
    const { limit, read } = guestOf(name);
    limit(1024);
    // The bits were cleared and flushed, so this use sets them again, and only here.
    expect(read(0x100, 0x80)).toMatchObject({ hostMajorFaults: 0, exits: 0 });
    expect(limit(1024 - 0x80).hostSwapOuts).toBe(0x80);
    expect(read(0x100, 0x80).hostMajorFaults).toBe(0);
    expect(read(0x180, 0x80).hostMajorFaults).toBe(0x80 + tables);
  });
});

// Planted: a leaf that stays when it is asked for its age.
test("without A bits a page's leaf goes when it is asked for its age, and its next use exits", () => {
  const guest = new TestGuest(eptWp);
  const limit = guest.cost(() => guest.host({ kind: "memory-limit", frames: 1024 }));
  expect(limit.hostSwapOuts).toBe(frames - 1024);
  const [vcpu] = guest.machine.vcpus;
  // The pages, and the four tables that lead there.
  const again = guest.cost(() => {
    for (let vpn = 0x100; vpn < 0x200; vpn++) vcpu!.read(vpn as Vpn);
  });
  expect(again).toMatchObject({ hostMajorFaults: 0, exitsEptViolation: 0x100 + 4 });
});
