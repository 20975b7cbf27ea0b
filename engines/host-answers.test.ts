/**
 * What a host hears back from every engine, and what its acts on memory cost when nothing maps it: frames reported, flushes,
 * memslots, how nested entries read.
 */
import { expect, test } from "vitest";
import { hostMemoryOf } from "../hypervisor/memory/host-memory.ts";
import type { HostEvent } from "../hypervisor/host-events.ts";
import { MemorySlots } from "../hypervisor/memory/slots.ts";
import type { Gfn } from "../machine/address.ts";
import { nestedFormatOf } from "../machine/entry-text.ts";
import { presets } from "../machine/presets.ts";
import { engines } from "./index.ts";
import { TestGuest } from "./kvm/test-guest.ts";

const range = { start: 0x300 as Gfn, frames: 4 };

/** Each kind of event that reports nothing, in an order in which each has something to do. */
const silent: readonly HostEvent[] = [
  { kind: "vcpu-run", vcpu: 0 },
  { kind: "dirty-log-on", ...range },
  { kind: "dirty-log-clear", ...range },
  { kind: "dirty-log-off" },
  { kind: "dirty-log-off" },
  { kind: "reclaim", ...range },
  { kind: "evict", ...range },
  { kind: "snapshot", ...range },
  { kind: "snapshot-drop" },
  { kind: "merge" },
  { kind: "memory-limit", frames: 4000 },
  { kind: "write", gfn: range.start, index: 1, low: 2, high: 3 },
  { kind: "slot-delete", ...range },
  { kind: "slot-create", ...range },
  { kind: "slot-move", ...range, to: 0x400 as Gfn },
];

const names = Object.keys(engines) as (keyof typeof engines)[];
const virtualized = names.filter((name) => name !== "native");

// Planted: an answer that is not empty.
test.each(virtualized)("under %s no event but a get of the dirty log reports a frame", (name) => {
  const guest = new TestGuest(engines[name]);
  for (const event of silent) expect(guest.host(event), event.kind).toEqual([]);
  expect(guest.host({ kind: "dirty-log-get" })).toEqual([]);
});

/** Engines that map a page when it is used, and their flushes for a page that goes though nothing maps it. */
const demandMapped = [
  ["ept", 1],
  ["ept-wp", 1],
  ["npt", 1],
  ["kvm-tdp", 1],
  // A reverse map knows that there is nothing to flush.
  ["shadow-lazy", 0],
  ["kvm-tdp-legacy", 0],
] as const;

// Planted: one flush more for pages of which none was young.
test.each(demandMapped)("under %s a clock that met no young page flushes nothing", (name, each) => {
  const guest = new TestGuest(engines[name], { preset: presets["skylake-sp"] });
  // The tables, which are used, lie below; the hand begins behind them.
  const tables = 0x30;
  guest.host({ kind: "evict", start: 0 as Gfn, frames: tables });
  const limit = (frames: number) => guest.cost(() => guest.host({ kind: "memory-limit", frames }));
  expect(limit(4096 - tables)).toMatchObject({ hostSwapOuts: 0, remoteInterrupts: 0 });
  const batch = { hostSwapOuts: 32, remoteInterrupts: 32 * each };
  expect(limit(4096 - tables - 1)).toMatchObject(batch);
  const rest = 0x100 - tables - 32;
  expect(limit(4096 - 0x100)).toMatchObject({
    hostSwapOuts: rest,
    remoteInterrupts: rest * each,
  });
  // The 256 pages that the guest used come next: young, passed by, and one flush for all of them.
  expect(limit(4096 - 0x100 - 1)).toMatchObject({
    hostSwapOuts: 32,
    remoteInterrupts: 32 * each + 1,
  });
});

test("nested entries read as Intel's or AMD's where there is a nested dimension", () => {
  const formats = names.map((name) => {
    const guest = new TestGuest(engines[name]);
    return [name, nestedFormatOf(guest.machine.vcpus[0]!.controls)];
  });
  const expected = names.map((name) => {
    // Hybrids have both kinds of tables, and begin with nested ones.
    if (/^(?:ept|kvm-ept|agile|shsp)/.test(name)) return [name, "ept"];
    const isAmd = name.startsWith("npt") || name.startsWith("kvm-tdp");
    return [name, isAmd ? "x86-64" : null];
  });
  expect(formats).toEqual(expected);
});

// Planted: holes that are listed as their opposite, an end that is none.
test("memslots know their holes, and where a slot begins or ends within a range", () => {
  const slots = new MemorySlots(32, false);
  const gfn = (at: number) => at as Gfn;
  expect([slots.list(), slots.endsIn(gfn(0), 32), slots.isHole(gfn(3))]).toEqual([[], [], false]);
  // Nothing was ever deleted: there is nothing to create.
  slots.create(gfn(0), 4);
  expect(slots.list()).toEqual([]);
  slots.delete(gfn(8), 3);
  slots.delete(gfn(20), 1);
  expect(slots.list()).toEqual([8, 9, 10, 20]);
  expect([7, 8, 10, 11].map((at) => slots.isHole(gfn(at)))).toEqual([false, true, true, false]);
  expect(slots.endsIn(gfn(0), 32)).toEqual([8, 11, 20, 21]);
  // An end at the range's own border does not cut it.
  expect(slots.endsIn(gfn(8), 3)).toEqual([]);
  expect(slots.endsIn(gfn(9), 3)).toEqual([11]);
  expect(slots.endsIn(gfn(9), 1)).toEqual([]);
  slots.create(gfn(9), 1);
  expect(slots.list()).toEqual([8, 10, 20]);
});

test("a clone has no memory where its template has no slot, and finds on the swap device what lay there", () => {
  const make = () => new TestGuest(engines.ept);
  const template = make();
  const memory = hostMemoryOf(template.hypervisor)!;
  template.host({ kind: "slot-delete", ...range });
  template.host({ kind: "evict", start: 0x500 as Gfn, frames: 2 });
  template.host({ kind: "reclaim", start: 0x600 as Gfn, frames: 2 });
  const { holes, swapped, lost, pages } = memory.share();
  expect(holes).toEqual([0x300, 0x301, 0x302, 0x303]);
  expect(swapped.map(([gfn]) => gfn)).toEqual([0x500, 0x501]);
  expect(lost).toEqual([0x600, 0x601]);
  // The memory behind a deleted slot is still there.
  expect(pages.length).toBe(4096 - 2 - 2);
});
